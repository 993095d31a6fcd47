"""One lifted pass: seed the coordinates, run the function, read the operators out."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

import apolar.rules  # noqa: F401  (fills the table of rules)
from apolar.algebra import Algebra, algebra
from apolar.errors import (
    ApolarError,
    DtypeError,
    FunctionError,
    NonFiniteError,
    OperatorError,
    RowCouplingError,
    ShapeError,
)
from apolar.jet import Jet, new_level
from apolar.operators import Coordinates, Operator

Directions = Sequence[Tensor | None]
"""For each symbol the direction in which a tensor moves; None where it does not."""


def evaluate(
    f: Callable[..., Any],
    points: Tensor | Sequence[Tensor],
    *operators: Operator | float,
    directions: Mapping[str, Tensor] | None = None,
    chunk_size: int | None = None,
) -> Any:
    """Differential operators of ``f`` at many points, exactly, in one forward pass.

    Args:
        f: maps points ``(..., d)`` to values ``(..., k)``, row by row; or, where ``points`` is a sequence, a function of
            several tensors.
        points: ``(..., d)`` with the coordinates on the last axis. Or a sequence of tensors: one for each coordinate, of any
            shape, or such that their last axes are the coordinates in order.
        operators: what to evaluate; the number 1 stands for the value of ``f`` itself.
        directions: binds every symbol by name to a direction field that broadcasts against the points, instead of to an axis.
        chunk_size: how many rows of the first axis to take at a time; all by default.

    Returns:
        For every operator a tensor of the shape that ``f`` returns, as a tuple; for a single operator the tensor itself.

    Raises:
        ShapeError, DtypeError, NonFiniteError: the points do not fit.
        OperatorError: no operator, or only operators of order 0.
        RowCouplingError: ``f`` mixes rows.
        UnsupportedOperator: ``f`` calls something without a rule.
        FunctionError: ``f`` fails, or returns something that is not a tensor.

    Source: docs/mathematics.md.

    >>> dx, dy = ap.coordinates("x y")
    >>> X = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> u, ux, lap = ap.evaluate(lambda p: p[:, :1] ** 2 * p[:, 1:], X, 1, dx, dx**2 + dy**2)
    >>> lap
    tensor([[4.],
            [8.]])
    """
    wanted = _operators(operators)
    coordinates = wanted[0].coordinates
    tensors = (points,) if isinstance(points, Tensor) else tuple(points)
    _check_points(tensors)
    batch = tuple(tensors[0].shape[:-1])
    if directions is not None:
        seeds = _bound(tensors, coordinates, directions)
    elif not isinstance(points, Tensor) and len(tensors) == len(coordinates):
        seeds = [[torch.ones_like(x) if j == k else None for j in range(len(tensors))] for k, x in enumerate(tensors)]
        if not all(x.ndim and x.shape[-1] == 1 for x in tensors):
            batch = tuple(torch.broadcast_shapes(*(x.shape for x in tensors)))
    else:
        seeds = _axes(tensors, coordinates)
    if chunk_size is None:
        results = push(f, tensors, seeds, wanted)
        check_rows(f, tensors, results[0], batch)
    else:
        results = _in_chunks(f, tensors, seeds, wanted, chunk_size, batch)
    return results[0] if len(results) == 1 else tuple(results)


def push(
    f: Callable[..., Any], points: Sequence[Tensor], seeds: Sequence[Directions], operators: Sequence[Operator]
) -> list[Any]:
    """The operators of ``f`` at ``points``, where point k moves along ``seeds[k]``; f may mix all entries."""
    over = algebra(*operators)
    level = new_level()
    output = run(f, [lift(over, x, moves, level) for x, moves in zip(points, seeds, strict=True)], points)
    return [tree_map(lambda y, p=p: read(over, y, p, level), output) for p in operators]


def lift(over: Algebra, value: Tensor, directions: Directions, level: int | None = None) -> Jet:
    """The jet of a point that moves along ``directions``, one for each symbol."""
    components: list[Tensor | None] = [value] + [None] * (over.size - 1)
    for symbol, direction in enumerate(directions):
        if direction is not None:
            for i, c in over.seed(symbol):
                step = direction if c == 1 else c * direction
                so_far = components[i]
                components[i] = step if so_far is None else so_far + step
    zero = torch.zeros_like(value)
    stacked = torch.stack([zero if c is None else c.to(value.dtype).expand_as(value) for c in components])
    return Jet(stacked, over, new_level() if level is None else level)


def read(over: Algebra, output: Tensor, operator: Operator, level: int) -> Tensor:
    """P(∂) of an output of the lifted function; an output that does not move is a constant."""
    terms = over.read(operator)
    moves = isinstance(output, Jet) and output.level == level
    if not moves:
        factor = dict(terms).get(0, 0.0)
        return output if factor == 1 else output * factor if factor else torch.zeros_like(output)
    (i, c), *rest = terms or ((0, 0.0),)
    total = output.components[i] if c == 1 else output.components[i] * c
    for i, c in rest:
        total = torch.add(total, output.components[i], alpha=c)
    return total


def run(f: Callable[..., Any], jets: Sequence[Jet], points: Sequence[Tensor]) -> Any:
    """f(*jets), with what can go wrong said in apolar's words."""
    try:
        output = f(*jets)
    except ApolarError:
        raise
    except Exception as error:
        raise FunctionError(f"f failed with {type(error).__name__}: {error}. {_blame(f, points)}") from error
    for leaf in tree_leaves(output):
        if not isinstance(leaf, Tensor):
            raise FunctionError(
                f"f must return a tensor, or a tuple, list or dictionary of tensors; got {type(leaf).__name__}. "
                "Make the result with torch functions and return it."
            )
    return output


def _blame(f: Callable[..., Any], points: Sequence[Tensor]) -> str:
    """Whether the function fails on plain tensors as well."""
    try:
        with torch.no_grad():
            f(*points)
    except Exception:
        shapes = ", ".join(str(tuple(x.shape)) for x in points)
        return f"It fails in the same way on plain tensors of shape {shapes}: mend f first."
    return "On plain tensors it works, so apolar is in the way: please report the line that fails."


# ------------------------------------------------------------------------------------------------------ what is asked for


def _operators(operators: Sequence[Operator | float]) -> list[Operator]:
    found = next((p for p in operators if isinstance(p, Operator)), None)
    if found is None:
        raise OperatorError(
            f"evaluate needs at least one differential operator, got {operators or 'none'}. "
            'Make one from symbols: dx, dy = ap.coordinates("x y"), then dx**2 + dy**2.'
        )
    for p in operators:
        if not isinstance(p, (Operator, Real)):
            raise OperatorError(f"{p!r} is no differential operator: use symbols of ap.coordinates(...) and numbers")
    wanted = [found._coerce(p) for p in operators]
    if not any(p.order for p in wanted):
        raise OperatorError(f"the operators {wanted} are of order 0, so there is nothing to differentiate: call f itself")
    return wanted


def _check_points(points: Sequence[Tensor]) -> None:
    for x in points:
        if not isinstance(x, Tensor):
            raise DtypeError(f"the points must be tensors, got {type(x).__name__}: use torch.tensor(...)")
        if not (x.is_floating_point() or x.is_complex()):
            raise DtypeError(f"the points must be floating point, got {x.dtype}: use X.double() or X.float()")
        if watched(x) and not torch.isfinite(x).all():
            raise NonFiniteError(f"the points contain {int((~torch.isfinite(x)).sum())} entries that are NaN or infinite")


def watched(*tensors: Any) -> bool:
    """Whether values may be looked at: not inside of jets, torch.func or a compiler."""
    return not (
        any(isinstance(x, Jet) for x in tensors)
        or torch._C._are_functorch_transforms_active()
        or torch.compiler.is_compiling()
    )


def _axes(points: Sequence[Tensor], coordinates: Coordinates) -> list[list[Tensor | None]]:
    """Every coordinate moves its own entry of the last axes, taken together: the unit vectors as directions."""
    d = len(coordinates)
    widths = [x.shape[-1] if x.ndim else 0 for x in points]
    if sum(widths) != d:
        raise ShapeError(_wrong_axis(points, coordinates))
    units = torch.eye(d, dtype=points[0].dtype, device=points[0].device).split(widths, dim=1)
    return [[unit[j].expand_as(x) for j in range(d)] for x, unit in zip(points, units, strict=True)]


def _wrong_axis(points: Sequence[Tensor], coordinates: Coordinates) -> str:
    shapes = ", ".join(str(tuple(x.shape)) for x in points)
    width = points[0].shape[-1] if points[0].ndim else 0
    advice = "Reshape the points to (..., number of coordinates)"
    if len(points) == 1 and 0 < width <= 20:
        names = " ".join([*coordinates.names, "t", "u", "v"][:width]) if width <= 6 else "x1 x2 …"
        advice = f"If the points are right, name every coordinate: ap.coordinates({names!r})"
    return (
        f"the operators live in coordinates {coordinates}, so the points need a last axis of {len(coordinates)}; "
        f"got {shapes}. {advice}."
    )


def _bound(
    points: Sequence[Tensor], coordinates: Coordinates, directions: Mapping[str, Tensor]
) -> list[list[Tensor | None]]:
    """Every symbol moves the points along its direction field."""
    if len(points) != 1:
        raise ShapeError("directions move the rows of one tensor of points; concatenate the coordinates on the last axis")
    if set(directions) != set(coordinates.names):
        raise OperatorError(f"directions must be given for all of {coordinates}, got {sorted(directions)}")
    x = points[0]
    try:
        return [[torch.as_tensor(directions[n], dtype=x.dtype, device=x.device).expand_as(x) for n in coordinates.names]]
    except RuntimeError as error:
        shapes = {name: tuple(torch.as_tensor(v).shape) for name, v in directions.items()}
        raise ShapeError(f"directions of shape {shapes} do not broadcast to the points, {tuple(x.shape)}") from error


# -------------------------------------------------------------------------------------------------------------- row by row

_independent: weakref.WeakKeyDictionary[Any, bool] = weakref.WeakKeyDictionary()
"""Functions that were seen to treat rows independently, with the mode (training or not) that they had."""


def check_rows(f: Callable[..., Any], points: Sequence[Tensor], output: Any, batch: tuple[int, ...]) -> None:
    """Refuse a function whose rows depend on each other: by the shape of its result, and by a trial once per function."""
    for leaf in tree_leaves(output):
        if tuple(leaf.shape[: len(batch)]) != batch:
            raise RowCouplingError(
                f"f must return one row for each point: points {tuple(points[0].shape)} need a result {(*batch, 'k')}, got "
                f"{tuple(leaf.shape)}. If f sums over its points, use ap.grad, ap.jacobian or ap.hessian; if it takes one "
                "point, use torch.func.vmap(f)."
            ) from None
    mode = getattr(f, "training", False)
    if not watched(*points) or not batch or batch[0] < 2 or _seen(f) == mode:
        return
    if _rows_depend(f, points, batch[0]):
        raise RowCouplingError(
            "f mixes rows: the result of a point changes when other points change, so its derivative with respect to its own "
            "coordinates is not defined. Batch normalisation in training mode does so (call .eval()), and so do means or "
            "sums over the first axis. For functions of all points together use ap.grad, ap.jacobian or ap.hessian."
        )
    try:
        _independent[f] = mode
    except TypeError:
        pass


def _seen(f: Callable[..., Any]) -> bool | None:
    try:
        return _independent.get(f)
    except TypeError:
        return None


def _rows_depend(f: Callable[..., Any], points: Sequence[Tensor], rows: int) -> bool:
    """Whether the second half of the results changes when the first half of the points does; random functions pass."""
    with torch.no_grad():
        before = torch.get_rng_state()
        plain = tree_leaves(f(*points))
        if not torch.equal(before, torch.get_rng_state()):
            return False
        half = rows // 2
        moved = [torch.cat([x[-1:].expand(half, *x.shape[1:]), x[half:]]) if x.ndim and x.shape[0] == rows else x for x in points]
        changed = tree_leaves(f(*moved))
    return any(
        not torch.allclose(a[half:], b[half:], rtol=1e-4, atol=1e-5 * _scale(a), equal_nan=True)
        for a, b in zip(plain, changed, strict=True)
    )


def _scale(x: Tensor) -> float:
    finite = x[torch.isfinite(x)]
    return float(finite.abs().max()) if finite.numel() else 0.0


def _in_chunks(
    f: Callable[..., Any],
    points: Sequence[Tensor],
    seeds: Sequence[Directions],
    operators: Sequence[Operator],
    size: int,
    batch: tuple[int, ...],
) -> list[Any]:
    """Rows of the first axis, some at a time."""
    if size < 1 or not batch:
        raise ShapeError(f"chunk_size={size} needs a positive number and points (N, ..., d), got {tuple(points[0].shape)}")
    parts = []
    for start in range(0, max(batch[0], 1), size):
        rows = slice(start, start + size)
        moving = [[None if v is None else v[rows] for v in moves] for moves in seeds]
        some = [x[rows] for x in points]
        results = push(f, some, moving, operators)
        check_rows(f, some, results[0], (some[0].shape[0], *batch[1:]))
        parts.append(results)
    return [tree_map(lambda *pieces: torch.cat(pieces), *column) for column in zip(*parts, strict=True)]
