"""One lifted pass: seed the coordinates, run the function, read the operators out."""

from __future__ import annotations

from cmath import isfinite
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor

import apolar.rules  # noqa: F401  (fills the table of rules)
from apolar.algebras.algebra import Algebra, algebra
from apolar.algebras.operators import Operator
from apolar.engine.context import Context, Detached, values_readable
from apolar.engine.jet import Jet, refusal
from apolar.engine.torch_private import (
    StopRecomputation,
    outside_of_compilers,
    tree_flatten,
    tree_leaves,
    tree_unflatten,
)
from apolar.errors import (
    ApolarError,
    DetachedError,
    DtypeError,
    FunctionError,
    NonFiniteError,
    OperatorError,
    ShapeError,
)
from apolar.evaluation.chunking import in_chunks, rows_within
from apolar.evaluation.made_inside import with_writes
from apolar.evaluation.row_independence import check_rows
from apolar.evaluation.seeds import Directions, Units, along, axes, lift, new_context
from apolar.kernels.sources import full_precision


def evaluate(
    f: Callable[..., Any],
    points: Tensor | Sequence[Tensor],
    *operators: Operator | float,
    directions: Mapping[str, Tensor] | None = None,
    chunk_size: int | None = None,
    max_memory: int | None = None,
    check_finite: bool = False,
    detached: Detached = "error",
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
        detached: what a value is that leaves the computation (``.detach()``, ``.item()``, ``torch.no_grad()``): ``"error"``, or
            ``"constant"``, for code that means it so and cannot be changed. See also :func:`constant`.

    Returns:
        For every operator a tensor of the shape that ``f`` returns, as a tuple; for a single operator the tensor itself.

    Raises:
        ShapeError, DtypeError, NonFiniteError: the points do not fit.
        OperatorError: no operator, or only operators of order 0.
        RowCouplingError: ``f`` mixes rows.
        UnsupportedOperator: ``f`` calls something without a rule.
        DetachedError: a value leaves the computation, and its derivative would be lost.
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
    wanted = check_operators(operators)
    coordinates = wanted[0].coordinates
    tensors = check_points(points)
    batch = tuple(tensors[0].shape[:-1])
    seeds: Sequence[Directions]
    if directions is not None:
        seeds = along(tensors, coordinates, directions)
    elif not isinstance(points, Tensor) and len(tensors) == len(coordinates):
        tensors = _broadcast(tensors)
        seeds = [[torch.ones_like(x) if j == k else None for j in range(len(tensors))] for k, x in enumerate(tensors)]
        batch = tuple(tensors[0].shape[:-1] if tensors[0].shape[-1:] == (1,) else tensors[0].shape)
    else:
        seeds = axes(tensors, coordinates)
    if (chunk_size is not None or max_memory is not None) and not batch:
        raise ShapeError(f"chunk_size and max_memory need points (N, ..., d), got {tuple(tensors[0].shape)}")
    if max_memory is not None:
        fitting = rows_within(lambda *x: call(f, x, x), tensors, algebra(*wanted), max_memory)
        chunk_size = min(fitting, chunk_size or fitting)
    if chunk_size is None or (max_memory is not None and chunk_size >= batch[0]):
        results = push(f, tensors, seeds, wanted, check_finite, detached)
        check_rows(f, tensors, results[0], batch)
    else:
        again = max_memory is not None
        results = _in_chunks(f, tensors, seeds, wanted, chunk_size, batch, check_finite, detached, again)
    return results[0] if len(results) == 1 else tuple(results)


@outside_of_compilers
def push(
    f: Callable[..., Any],
    points: Sequence[Tensor],
    seeds: Sequence[Directions],
    operators: Sequence[Operator],
    check_finite: bool = False,
    detached: Detached = "error",
) -> list[Any]:
    """The operators of ``f`` at ``points``, where point k moves along ``seeds[k]``; f may mix all entries."""
    over = algebra(*operators)
    context = new_context(points, check_finite, detached)
    inputs = [lift(over, x, moves, context) for x, moves in zip(points, seeds, strict=True)]

    def operated(*x: Tensor) -> list[Any]:
        returned = f(*x)
        if isinstance(returned, Tensor):
            return read(over, returned, operators, context)
        leaves, structure = tree_flatten(_returned(returned))
        results = [read(over, y, operators, context) for y in leaves]  # what has waited is computed here, and may fail
        return [tree_unflatten(column, structure) for column in zip(*results, strict=True)]

    found: list[Any] = with_writes(f, lambda: call(operated, inputs, points), inputs)
    return found


def read(over: Algebra, output: Tensor, operators: Sequence[Operator], context: Context) -> list[Tensor]:
    """Operators of an output of the lifted function; an output that does not move is a constant."""
    terms = [over.read(p) or ((0, 0.0),) for p in operators]
    if not isinstance(output, Jet) or output.context is not context:
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
            output = f(*inputs)
        if isinstance(refused := refusal.get(), DetachedError):  # which the function caught
            raise refused
        return output
    except (ApolarError, StopRecomputation):  # the latter ends what torch.utils.checkpoint runs again
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
        with full_precision(points[0].device.type), torch.jit.optimized_execution(False):
            f(*points)
    except Exception as error:
        return error
    return None


# ------------------------------------------------------------------------------------------------------ what is asked for


def check_operators(operators: Sequence[Operator | float]) -> list[Operator]:
    """What is asked for, all as operators, one of which at least differentiates."""
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
        if values_readable(x) and not isfinite(x.sum().item()) and not torch.isfinite(x).all():
            raise NonFiniteError(
                f"the points contain {int((~torch.isfinite(x)).sum())} entries that are NaN or infinite"
            )
    if not tensors:
        raise ShapeError("evaluate needs points, got an empty sequence")
    return tensors


def _in_chunks(
    f: Callable[..., Any],
    points: Sequence[Tensor],
    seeds: Sequence[Directions],
    operators: Sequence[Operator],
    size: int,
    batch: tuple[int, ...],
    check_finite: bool,
    detached: Detached,
    again: bool,
) -> list[Any]:
    """Rows of the first axis, some at a time."""
    if size < 1:
        raise ShapeError(f"chunk_size={size} needs a positive number of rows")
    count = len(points)
    fields = [[] if isinstance(moves, Units) else list(moves) for moves in seeds]

    def run(*some: Any) -> list[Any]:
        rows = iter(some[count:])
        moving = [moves if isinstance(moves, Units) else [next(rows) for _ in moves] for moves in seeds]
        results = push(f, some[:count], moving, operators, check_finite, detached)
        check_rows(f, some[:count], results[0], (some[0].shape[0], *batch[1:]))
        return results

    return in_chunks(run, [*points, *(v for moves in fields for v in moves)], batch[0], size, again)


def _broadcast(tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    try:
        return tuple(torch.broadcast_tensors(*tensors)) if len(tensors) > 1 else tuple(tensors)
    except RuntimeError as error:
        raise ShapeError(f"coordinates of shapes {[tuple(x.shape) for x in tensors]} do not broadcast") from error
