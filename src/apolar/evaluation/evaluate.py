"""One lifted pass: seed the coordinates, run the function, read the operators out."""

from __future__ import annotations

from cmath import isfinite
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from numbers import Real
from typing import Any, TypeAlias

import torch
from torch import Tensor

import apolar.rules  # noqa: F401  (fills the table of rules)
from apolar.algebras.algebra import Algebra, algebra
from apolar.algebras.operators import Operator, coordinates
from apolar.engine.context import Context, Detached, observer, values_readable
from apolar.engine.jet import Jet, refusal
from apolar.engine.torch_private import (
    StopRecomputation,
    outside_of_compilers,
    saved_as_they_are,
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
    PrecisionError,
    ShapeError,
    SingularPoint,
)
from apolar.evaluation.chunking import Rerun, in_chunks, rows_within
from apolar.evaluation.made_inside import with_writes
from apolar.evaluation.row_independence import (
    SHORTER,
    Trial,
    check_shape,
    random_direction,
    state_kept,
    trial_of,
    visible,
    with_trial,
)
from apolar.evaluation.seeds import Directions, Units, along, axes, lift, new_context
from apolar.kernels.sources import full_precision
from apolar.rules.kinks import meetings

Check: TypeAlias = Callable[[Any, Sequence[Tensor], tuple[int, ...]], None]


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
        RowCouplingError: ``f`` mixes rows. Tested in the call itself, at the first one and from time to time: a coupling of
            any two rows at these points is seen with probability one, unless it is as weak as rounding (docs/promises.md).
        UnsupportedOperator: ``f`` calls something without a rule.
        DetachedError: a value leaves the computation, and its derivative would be lost.
        FunctionError: ``f`` fails, or returns something that is not a tensor.
        ModifiedError: in the backward pass, with ``max_memory``: what f reads was changed before it.
        SingularPoint: at a point there is no derivative of order two or higher that was asked for; with ``check_finite``, a
            function that ``f`` calls has no finite derivative there, of any order.

    Source: docs/mathematics.md.

    >>> dx, dy = ap.coordinates("x y")
    >>> X = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> u, ux, lap = ap.evaluate(lambda p: p[:, :1] ** 2 * p[:, 1:], X, 1, dx, dx**2 + dy**2)
    >>> lap
    tensor([[4.],
            [8.]])
    """
    wanted = check_operators(operators)
    system = wanted[0].coordinates
    tensors = check_points(points)
    batch = tuple(tensors[0].shape[:-1])
    seeds: Sequence[Directions]
    if directions is not None:
        seeds = along(tensors, system, directions)
    elif not isinstance(points, Tensor) and len(tensors) == len(system):
        tensors = _broadcast(tensors)
        seeds = [[torch.ones_like(x) if j == k else None for j in range(len(tensors))] for k, x in enumerate(tensors)]
        batch = tuple(tensors[0].shape[:-1] if tensors[0].shape[-1:] == (1,) else tensors[0].shape)
    else:
        seeds = axes(tensors, system)
    if (chunk_size is not None or max_memory is not None) and not batch:
        raise ShapeError(f"chunk_size and max_memory need points (N, ..., d), got {tuple(tensors[0].shape)}")
    if max_memory is not None:
        over, larger = algebra(*wanted), algebra(*with_trial(wanted))  # the latter in calls that test rows
        with state_kept(f, tensors):
            fitting = rows_within(lambda *x: call(f, x, x), tensors, over, max_memory)
        fitting = max(1, fitting * over.size // larger.size)
        chunk_size = min(fitting, chunk_size or fitting)
    if chunk_size is None or (max_memory is not None and chunk_size >= batch[0]):
        results = push_rows(f, tensors, seeds, wanted, batch, check_finite, detached)
    else:
        again = max_memory is not None
        results = _in_chunks(f, tensors, seeds, wanted, chunk_size, batch, check_finite, detached, again)
    return results[0] if len(results) == 1 else tuple(results)


@outside_of_compilers
def push_rows(
    f: Callable[..., Any],
    points: Sequence[Tensor],
    seeds: Sequence[Directions],
    operators: Sequence[Operator],
    batch: tuple[int, ...],
    check_finite: bool = False,
    detached: Detached = "error",
    check: Check = check_shape,
) -> list[Any]:
    """The same as ``push`` for f that treats rows independently; whether it does is tested in this call, or was before.

    Args:
        batch: the shape of the rows.
        check: refuses a result of another shape, given the points and the batch.
    """
    trial = trial_of(f, points, batch, operators)
    return _tested(f, points, seeds, operators, batch, check_finite, detached, check, trial)


def _tested(
    f: Callable[..., Any],
    points: Sequence[Tensor],
    seeds: Sequence[Directions],
    operators: Sequence[Operator],
    batch: tuple[int, ...],
    check_finite: bool,
    detached: Detached,
    check: Check,
    trial: Trial | None,
) -> list[Any]:
    """The results of a call that makes this trial, too."""
    if trial is None:
        results = push(f, points, seeds, operators, new_context(points, check_finite, detached))
        check(results[0], points, batch)
        return results
    together, count = with_trial(operators), len(operators)

    def found(factor: float = 1.0) -> list[Any]:
        return push(f, points, trial.directions(seeds, factor), together, new_context(points, check_finite, detached))

    def again() -> list[Any]:
        # Where hooks take what is saved, the pass may be repeated, and must save the same then.
        with nullcontext() if saved_as_they_are() else torch.no_grad():
            return found(SHORTER)[count:]

    try:
        with trial:
            results = found()
            check(results[0], points, batch)
            trial.judge(results[count:], again)
    except (SingularPoint, PrecisionError):  # perhaps along the directions of the trial only
        return _tested(f, points, seeds, operators, batch, check_finite, detached, check, None)
    return results[:count]


def check_rows(
    f: Callable[..., Any], points: Sequence[Tensor], batch: tuple[int, ...], order: int, detached: Detached = "error"
) -> None:
    """Refuse a function whose rows depend on each other by derivatives up to an order, by a pass of its own."""
    if visible(points, batch):
        wanted = [coordinates("x")["x"] ** order]
        seeds = [[random_direction(x, len(batch))] for x in points]
        _tested(f, points, seeds, wanted, batch, False, detached, check_shape, Trial(f, points, batch, wanted))


@outside_of_compilers
def push(
    f: Callable[..., Any],
    points: Sequence[Tensor],
    seeds: Sequence[Directions],
    operators: Sequence[Operator],
    context: Context | None = None,
    detached: Detached = "error",
) -> list[Any]:
    """The operators of ``f`` at ``points``, where point k moves along ``seeds[k]``; f may mix all entries."""
    over = algebra(*operators)
    context = context or new_context(points, detached=detached)
    inputs = [lift(over, x, moves, context) for x, moves in zip(points, seeds, strict=True)]

    watching = observer.get()
    if watching is not None:
        watching.begins(inputs)

    def read_out(y: Tensor) -> list[Tensor]:
        results = read(over, y, operators, context)  # what has waited is computed here, and may fail
        if watching is not None:
            watching.ends(points, y, operators, results)
        return results

    def operated(around: AbstractContextManager[Any], *x: Tensor) -> list[Any]:
        with around:
            returned = f(*x)
        if isinstance(returned, Tensor):
            return read_out(returned)
        leaves, structure = tree_flatten(_returned(returned))
        results = [read_out(y) for y in leaves]
        return [tree_unflatten(column, structure) for column in zip(*results, strict=True)]

    def lifted(around: AbstractContextManager[Any]) -> list[Any]:
        with meetings() as met:
            results: list[Any] = call(partial(operated, around), inputs, points)
        met.settle(tree_leaves(results), lambda: push(f, points, seeds, operators, new_context(points, True, detached)))
        return results

    found: list[Any] = with_writes(f, lifted, inputs)
    if context.lost and any(bool(y.isnan().any()) for y in tree_leaves(found) if values_readable(y)):
        raise PrecisionError(
            f"{context.lost[0]}. Use a function that is whole there, such as torch.sinc, or its Taylor series near that point "
            "(torch.where); float64 instead of float32; a lower order; or points that are farther away."
        )
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

    def prepared(*some: Any) -> Callable[..., list[Any]]:
        """Decides on a trial, so that a chunk that is run again does the same as at first."""
        few = (some[0].shape[0], *batch[1:])
        trial = trial_of(f, some[:count], few, operators)

        def run(*some: Any) -> list[Any]:
            rows = iter(some[count:])
            moving = [moves if isinstance(moves, Units) else [next(rows) for _ in moves] for moves in seeds]
            return _tested(f, some[:count], moving, operators, few, check_finite, detached, check_shape, trial)

        return run

    tensors = [*points, *(v for moves in fields for v in moves)]
    return in_chunks(prepared, tensors, batch[0], size, Rerun(f, tensors) if again else None)


def _broadcast(tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    try:
        return tuple(torch.broadcast_tensors(*tensors)) if len(tensors) > 1 else tuple(tensors)
    except RuntimeError as error:
        raise ShapeError(f"coordinates of shapes {[tuple(x.shape) for x in tensors]} do not broadcast") from error
