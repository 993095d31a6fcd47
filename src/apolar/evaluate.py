"""One lifted pass: seed the coordinates, run the function, read the operators out."""

from __future__ import annotations

import math
import weakref
from cmath import isfinite
from collections.abc import Callable, Iterator, Mapping, Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten
from torch.utils.checkpoint import _StopRecomputationError

import apolar.rules  # noqa: F401  (fills the table of rules)
from apolar.algebra import Algebra, algebra
from apolar.chunks import in_chunks, rows_within
from apolar.errors import (
    ApolarError,
    DtypeError,
    FunctionError,
    NonFiniteError,
    OperatorError,
    RowCouplingError,
    ShapeError,
)
from apolar.finite import checked
from apolar.jet import Jet, Level, compiling, new_level, refusal
from apolar.kernels.sources import Uniform, full_precision, postponable
from apolar.operators import Coordinates, Operator

Directions = Sequence[Tensor | None]
"""For each symbol the direction in which a tensor moves; None where it does not."""


def evaluate(
    f: Callable[..., Any],
    points: Tensor | Sequence[Tensor],
    *operators: Operator | float,
    directions: Mapping[str, Tensor] | None = None,
    chunk_size: int | None = None,
    max_memory: int | None = None,
    check_finite: bool = False,
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
        max_memory: bytes that may be used at a time beside the points, the results and the parameters: the rows are taken in
            chunks, which reverse mode runs again instead of keeping what it needs.
        check_finite: whether to look at every function that ``f`` calls: is it at a point where it has no derivative, or not a
            finite one?

    Returns:
        For every operator a tensor of the shape that ``f`` returns, as a tuple; for a single operator the tensor itself.

    Raises:
        ShapeError, DtypeError, NonFiniteError: the points do not fit.
        OperatorError: no operator, or only operators of order 0.
        RowCouplingError: ``f`` mixes rows.
        UnsupportedOperator: ``f`` calls something without a rule.
        FunctionError: ``f`` fails, or returns something that is not a tensor.
        SingularPoint: with ``check_finite``, a function that ``f`` calls has no finite derivative at a point.

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
    tensors = check_points(points)
    batch = tuple(tensors[0].shape[:-1])
    if directions is not None:
        seeds = _bound(tensors, coordinates, directions)
    elif not isinstance(points, Tensor) and len(tensors) == len(coordinates):
        tensors = _broadcast(tensors)
        seeds = [[torch.ones_like(x) if j == k else None for j in range(len(tensors))] for k, x in enumerate(tensors)]
        batch = tuple(tensors[0].shape[:-1] if tensors[0].shape[-1:] == (1,) else tensors[0].shape)
    else:
        seeds = _axes(tensors, coordinates)
    if max_memory is not None:
        fitting = rows_within(f, tensors, algebra(*wanted), max_memory)
        chunk_size = min(fitting, chunk_size or fitting)
    if chunk_size is None or (max_memory is not None and chunk_size >= batch[0]):
        results = push(f, tensors, seeds, wanted, check_finite)
        check_rows(f, tensors, results[0], batch)
    else:
        results = _in_chunks(f, tensors, seeds, wanted, chunk_size, batch, check_finite, max_memory is not None)
    return results[0] if len(results) == 1 else tuple(results)


@torch.compiler.disable(reason="apolar looks functions up by name; a compiler around it sees plain tensors only")
def push(
    f: Callable[..., Any],
    points: Sequence[Tensor],
    seeds: Sequence[Directions],
    operators: Sequence[Operator],
    check_finite: bool = False,
) -> list[Any]:
    """The operators of ``f`` at ``points``, where point k moves along ``seeds[k]``; f may mix all entries."""
    over = algebra(*operators)
    level = new_level()
    inputs = [lift(over, x, moves, level, check_finite) for x, moves in zip(points, seeds, strict=True)]

    def operated(*x: Tensor) -> list[Any]:
        leaves, structure = tree_flatten(_returned(f(*x)))
        results = [read(over, y, operators, level) for y in leaves]  # what has waited is computed here, and may fail
        return [tree_unflatten(column, structure) for column in zip(*results, strict=True)]

    found: list[Any] = call(operated, inputs, points)
    return found


def lift(
    over: Algebra, value: Tensor, directions: Directions, level: Level | None = None, check_finite: bool = False
) -> Jet:
    """The jet of a point that moves along ``directions``, one for each symbol; checked inside of a checked one too."""
    components: list[Tensor | None] = [value] + [None] * (over.size - 1)
    for symbol, direction in enumerate(directions):
        if direction is not None:
            for i, c in over.seed(symbol):
                step = direction if c == 1 else c * direction
                so_far = components[i]
                components[i] = step if so_far is None else so_far + step
    check = checked if check_finite else value.checked if isinstance(value, Jet) else None
    return Jet(
        _uniform(over, value, components) or _stacked(value, components),
        over,
        new_level() if level is None else level,
        torch.is_grad_enabled(),
        check,
    )


def _stacked(value: Tensor, components: Sequence[Tensor | None]) -> Tensor:
    zero = torch.zeros_like(value)
    found = [zero if c is None else c for c in components]
    if any(c.shape != value.shape or c.dtype != value.dtype for c in found):
        found = [c.to(value.dtype).expand_as(value) for c in found]
    return torch.stack(found)


def _uniform(over: Algebra, value: Tensor, components: Sequence[Tensor | None]) -> Uniform | None:
    """The same, where all rows move alike."""
    if value.ndim < 2:
        return None
    moving = {k: c for k, c in enumerate(components) if k and c is not None}
    alike = all(c.shape == value.shape and not any(c.stride()[:-1]) for c in moving.values())
    if not alike or not moving or not value.numel() or not postponable(value):
        return None
    first = tuple(slice(1) for _ in value.shape[:-1])
    return Uniform(value, torch.stack([c[first].to(value.dtype) for c in moving.values()]), tuple(moving), over.size)


def read(over: Algebra, output: Tensor, operators: Sequence[Operator], level: Level) -> list[Tensor]:
    """Operators of an output of the lifted function; an output that does not move is a constant."""
    terms = [over.read(p) or ((0, 0.0),) for p in operators]
    if not isinstance(output, Jet) or output.level != level:
        factors = [dict(t).get(0, 0.0) for t in terms]
        return [output if c == 1 else output * c if c else torch.zeros_like(output) for c in factors]
    wanted = sorted({i for t in terms for i, _ in t})
    components = dict(zip(wanted, output.some(wanted), strict=True))
    return [_combined([(c, components[i]) for i, c in t]) for t in terms]


def _combined(terms: Sequence[tuple[float, Tensor]]) -> Tensor:
    (c, first), *rest = terms
    total = first if c == 1 else first * c
    for c, component in rest:
        total = torch.add(total, component, alpha=c)
    return total


def run(f: Callable[..., Any], inputs: Sequence[Tensor], points: Sequence[Tensor]) -> Any:
    """f(*inputs), with what can go wrong said in apolar's words."""
    return _returned(call(f, inputs, points))


def _returned(output: Any) -> Any:
    leaves = tree_leaves(output)
    wrong = [type(leaf).__name__ for leaf in leaves if not isinstance(leaf, Tensor)]
    if wrong or not leaves:
        raise FunctionError(
            "f must return a tensor, or a tuple, list or dictionary of tensors; got "
            f"{wrong[0] if wrong else f'an empty {type(output).__name__}'}. Make the result with torch functions and return it."
        )
    return output


def call(f: Callable[..., Any], inputs: Sequence[Any], points: Sequence[Tensor]) -> Any:
    """f(*inputs); a failure is a FunctionError that says whether f fails on plain points as well.

    Without autocast, which lowers the precision, and without TorchScript's optimised graphs, which detach parameters.
    """
    before = refusal.set(None)
    try:
        with full_precision(points[0].device.type), torch.jit.optimized_execution(False):
            return f(*inputs)
    except (ApolarError, _StopRecomputationError):  # the latter ends what torch.utils.checkpoint runs again
        raise
    except Exception as error:
        if (refused := refusal.get()) is not None:
            raise refused from error
        plain = _failure(f, points)
        if plain is not None:
            shapes = ", ".join(str(tuple(x.shape)) for x in points)
            raise FunctionError(
                f"f fails on plain tensors of shape {shapes}: {type(plain).__name__}: {plain}. Mend f first."
            ) from error
        raise FunctionError(
            f"f works on plain tensors but failed here with {type(error).__name__}: {error}. Apolar is in the way: please "
            "report the line that fails."
        ) from error
    finally:
        refusal.reset(before)


def _failure(f: Callable[..., Any], points: Sequence[Tensor]) -> Exception | None:
    try:
        with torch.no_grad():
            f(*points)
    except Exception as error:
        return error
    return None


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
        raise OperatorError(
            f"the operators {wanted} are of order 0, so there is nothing to differentiate: call f itself"
        )
    return wanted


def check_points(points: Any) -> tuple[Tensor, ...]:
    """The tensors that hold the points; they must be finite floating point numbers."""
    tensors = tuple(points) if isinstance(points, (tuple, list)) else (points,)
    for x in tensors:
        if not isinstance(x, Tensor):
            raise DtypeError(f"the points must be tensors, got {type(x).__name__}: use torch.tensor(...)")
        if not (x.is_floating_point() or x.is_complex()):
            raise DtypeError(f"the points must be floating point, got {x.dtype}: use X.double() or X.float()")
        if watched(x) and not isfinite(x.detach().sum().item()) and not torch.isfinite(x).all():
            raise NonFiniteError(
                f"the points contain {int((~torch.isfinite(x)).sum())} entries that are NaN or infinite"
            )
    if not tensors:
        raise ShapeError("evaluate needs points, got an empty sequence")
    return tensors


def _broadcast(tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    try:
        return tuple(torch.broadcast_tensors(*tensors)) if len(tensors) > 1 else tuple(tensors)
    except RuntimeError as error:
        raise ShapeError(f"coordinates of shapes {[tuple(x.shape) for x in tensors]} do not broadcast") from error


def watched(*tensors: Any) -> bool:
    """Whether values may be looked at: not inside of jets, torch.func or a compiler."""
    return not (any(isinstance(x, Jet) for x in tensors) or torch._C._are_functorch_transforms_active() or compiling())


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
        unused = (n for n in ("t", "x", "y", "z", *(f"x{i}" for i in range(1, 50))) if n not in coordinates.names)
        names = " ".join([*coordinates.names, *unused][:width])
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
        raise ShapeError(
            "directions move the rows of one tensor of points; concatenate the coordinates on the last axis"
        )
    if set(directions) != set(coordinates.names):
        raise OperatorError(f"directions must be given for all of {coordinates}, got {sorted(directions)}")
    x = points[0]
    try:
        return [
            [torch.as_tensor(directions[n], dtype=x.dtype, device=x.device).expand_as(x) for n in coordinates.names]
        ]
    except (RuntimeError, TypeError, ValueError) as error:
        found = {name: tuple(v.shape) if isinstance(v, Tensor) else v for name, v in directions.items()}
        raise ShapeError(
            f"directions must be tensors that broadcast to the points, {tuple(x.shape)}; got {found}"
        ) from error


# -------------------------------------------------------------------------------------------------------------- row by row

_independent: weakref.WeakKeyDictionary[Any, set[Any]] = weakref.WeakKeyDictionary()
"""Functions seen to treat rows independently: for which batch shapes of how many axes, with which modules in training."""


def check_rows(f: Callable[..., Any], points: Sequence[Tensor], output: Any, batch: tuple[int, ...]) -> None:
    """Refuse a function whose rows depend on each other: by the shape of its result, and by a trial once per function."""
    for leaf in tree_leaves(output):
        if tuple(leaf.shape[: len(batch)]) != batch:
            raise RowCouplingError(
                f"f must return one row for each point: points {tuple(points[0].shape)} need a result {(*batch, 'k')}, got "
                f"{tuple(leaf.shape)}. If f sums over its points, use ap.grad, ap.jacobian or ap.hessian; if it takes a single "
                "point, evaluate at one point and batch that: torch.func.vmap(lambda x: ap.evaluate(f, x, ...))(X)."
            )
    if not watched(*points) or all(n < 2 for n in batch):
        return
    trial = (batch, points[0].ndim, _modes(f))
    try:
        seen = _independent.setdefault(f, set())
    except TypeError:
        seen = set()
    if trial not in seen and _rows_depend(f, points, batch):
        raise RowCouplingError(
            "f mixes rows: the result of a point changes when other points change, so its derivative with respect to its own "
            "coordinates is not defined. Batch normalisation in training mode does so (call .eval()), and so do means or "
            "sums over the first axis. For functions of all points together use ap.grad, ap.jacobian or ap.hessian."
        )
    seen.add(trial)


def _modes(f: Any) -> tuple[bool, ...]:
    """Which modules that f can reach are in training mode."""
    return tuple(getattr(m, "training", False) for m in reachable_modules(f))


def reachable_modules(f: Any) -> Iterator[torch.nn.Module]:
    """Modules that f is or holds by its closure, its arguments or its globals, with all that they consist of."""
    held = [f, getattr(f, "__self__", None), *getattr(f, "args", ()), *(getattr(f, "keywords", None) or {}).values()]
    code = getattr(f, "__code__", None)
    if code is not None:
        held += [f.__globals__.get(name) for name in code.co_names]
        for cell in f.__closure__ or ():
            try:
                held.append(cell.cell_contents)
            except ValueError:
                continue
    return (m for h in held if isinstance(h, torch.nn.Module) for m in h.modules())


def _rows_depend(f: Callable[..., Any], points: Sequence[Tensor], batch: tuple[int, ...]) -> bool:
    """Whether, along a batch axis, one half of the results changes when the other half of the points does.

    Random functions pass: two runs of them differ anyway.
    """
    with torch.no_grad():
        before = _random_state(points)
        points = [_generic(x, batch) for x in points]
        plain = tree_leaves(f(*(x.clone() for x in points)))
        if before != _random_state(points):
            return False
        for axis, rows in enumerate(batch):
            for moved, kept in _halves(rows):
                changed = tree_leaves(f(*(_moved(x, axis, moved) for x in points)))
                for a, b in zip(plain, changed, strict=True):
                    still = slice(kept.start, kept.stop)
                    a, b = a.movedim(axis, 0)[still], b.movedim(axis, 0)[still]
                    if not torch.allclose(a, b, rtol=1e-4, atol=1e-5 * _scale(a), equal_nan=True):
                        return True
    return False


def _generic(x: Tensor, batch: tuple[int, ...]) -> Tensor:
    """Points nearby that all differ, drawn towards ½ so that those between 0 and 1 stay there."""
    shift = torch.linspace(0.05, 0.09, math.prod(batch), dtype=x.real.dtype, device=x.device)
    return 0.9 * x + shift.reshape(*batch, *(1,) * (x.ndim - len(batch)))


def _moved(x: Tensor, axis: int, rows: slice) -> Tensor:
    """The points with some rows elsewhere: in reverse order, and drawn towards ½ once more."""
    x = x.clone()
    some = x.movedim(axis, 0)[rows]
    some.copy_(0.9 * some.flip(0) + 0.05)
    return x


def _halves(rows: int) -> list[tuple[slice, slice]]:
    first, second = slice(0, rows // 2), slice(rows // 2, rows)
    return [(first, second), (second, first)] if rows > 1 else []


def _random_state(points: Sequence[Tensor]) -> list[list[int]]:
    states = [torch.get_rng_state()]
    if any(x.is_cuda for x in points):
        states.append(torch.cuda.get_rng_state(points[0].device))
    return [state.tolist() for state in states]


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
    check_finite: bool,
    again: bool,
) -> list[Any]:
    """Rows of the first axis, some at a time."""
    if size < 1 or not batch:
        raise ShapeError(
            f"chunk_size={size} needs a positive number and points (N, ..., d), got {tuple(points[0].shape)}"
        )
    count = len(points)

    def run(*some: Any) -> list[Any]:
        moving = [some[count + k * len(seeds[0]) :][: len(seeds[0])] for k in range(count)]
        results = push(f, some[:count], moving, operators, check_finite)
        check_rows(f, some[:count], results[0], (some[0].shape[0], *batch[1:]))
        return results

    return in_chunks(run, [*points, *(v for moves in seeds for v in moves)], batch[0], size, again)
