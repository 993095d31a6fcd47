"""Whether a function treats rows independently, which derivatives with respect to the coordinates of each row rest on.

It is tested in the wanted call itself, by two more symbols: s moves every row along a direction v, t moves row i along rᵢ v,
with lengths rᵢ of its own. Where row i of the result depends on row i of the points alone,

    ∂tᵏ f = rᵢᵏ ∂sᵏ f,   k = 1, …, K,

with K the order of the operators that are asked for. The difference of the two sides is a polynomial in v and r. If row i
depends on row j, by a derivative of an order up to K, it is not the polynomial 0, so that random v and r make it different from
0 with probability one. State and random numbers are the same for both symbols, since there is one call.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from apolar.algebras.operators import Coordinates, Operator
from apolar.engine.context import traced
from apolar.engine.guard import Guard, Memory, likeness
from apolar.engine.jet import plain
from apolar.engine.torch_private import in_transform, saved_as_they_are, tree_leaves
from apolar.errors import ApolarError, RowCouplingError
from apolar.evaluation.seeds import Directions, Units
from apolar.evaluation.state import State

PATIENCE = 64
"""At most so many calls pass from one test to the next while what the function reads stays the same."""

SHAPES = 16
"""Batches of so many shapes have a verdict of their own."""

TOLERANCE = {torch.float64: 1e-11, torch.float32: 1e-4, torch.float16: 0.1, torch.bfloat16: 0.3}
"""Differences up to so much of the largest entry are rounding. Networks leave 2e-14 in float64 and 6e-6 in float32, at orders
from 1 to 12: some 100 times the precision."""

SHORTER = 0.83
"""The steps of a second look, in those of the first; no power of 2, so that all is rounded otherwise."""

_always: ContextVar[bool] = ContextVar("always", default=False)
"""True while every call is tested."""

_random = np.random.default_rng(0)
"""A source of its own, so that the random numbers of torch and NumPy stay the user's."""


# ------------------------------------------------------------------------------------------------------ when to test


@dataclass
class Verdict:
    """That rows are independent, while what the function reads stays the same.

    Attributes:
        patience: how many calls may pass before the next test.
        left: how many are left of them.
    """

    patience: int = 0
    left: int = 0

    def holds(self) -> bool:
        """Count a call; whether it needs no test."""
        self.left -= 1
        return self.left >= 0

    def again(self) -> Verdict:
        """After another test with the same outcome."""
        patience = min(max(2 * self.patience, 1), PATIENCE)
        return Verdict(patience, patience)


@dataclass
class Seen:
    """The verdicts on a function, for batches of some shapes and some operators, and a guard for what it reads."""

    guard: Guard
    verdicts: dict[Any, Verdict] = field(default_factory=dict)

    def kind(self, batch: tuple[int, ...], *what: Any) -> Any:
        """The key of a verdict: where there are more and more shapes of batches, they share one."""
        many = (batch, *what) not in self.verdicts and sum(key[1:] == what for key in self.verdicts) >= SHAPES
        return (None if many else batch, *what)


_seen: Memory[Seen] = Memory(most=8)


def trial_of(
    f: Callable[..., Any], points: Sequence[Tensor], batch: tuple[int, ...], wanted: Sequence[Operator]
) -> Trial | None:
    """The test that this call of ``f`` is to make, or None where none is due.

    One is due at the first call for these operators and a batch of this shape, where something that ``f`` reads has changed,
    and after 0, 1, 2, 4, …, 64, 64, … more calls; none where nobody may look at values. Where hooks take what is saved for
    reverse mode, as those of torch.utils.checkpoint do, which runs a call again that must save the same: in every call.
    """
    if not visible(points, batch):
        return None
    seen = _seen.find(likeness(f), f) or _followed(f)
    kind = seen.kind(batch, points[0].ndim, *wanted)
    verdict = seen.verdicts.get(kind)
    if verdict is not None and verdict.holds() and saved_as_they_are() and not _always.get():
        return None
    return Trial(f, points, batch, wanted, seen, kind)


def guard_of(f: Callable[..., Any]) -> Guard:
    """A guard for what ``f`` reads now, but for what it changes itself."""
    return (_seen.find(likeness(f), f) or _followed(f)).guard


@contextmanager
def state_kept(f: Callable[..., Any], points: Sequence[Tensor]) -> Iterator[None]:
    """Calls of ``f`` leave modules and random numbers as they were."""
    state = State(guard_of(f).modules(), points)
    try:
        yield
    finally:
        state.restore()


@contextmanager
def every_call_tested() -> Iterator[None]:
    """Calls are tested here, whatever is remembered."""
    token = _always.set(True)
    try:
        yield
    finally:
        _always.reset(token)


def visible(points: Sequence[Tensor], batch: tuple[int, ...]) -> bool:
    """Whether there are several rows, and values that may be looked at."""
    if math.prod(batch) < 2 or traced() or points[0].is_meta:
        return False
    return not (points[0].is_cuda and torch.cuda.is_current_stream_capturing())


def _followed(f: Callable[..., Any], ignored: frozenset[str] = frozenset()) -> Seen:
    """Without a verdict so far."""
    guard = Guard(f, ignored=ignored)
    seen = Seen(guard)
    _seen.remember(likeness(f), guard, seen)
    return seen


# ------------------------------------------------------------------------------------------------------ the test itself


class Trial:
    """The test that a call makes.

    As a context manager around the call it leaves modules and random numbers as they were where the call is refused.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        points: Sequence[Tensor],
        batch: tuple[int, ...],
        wanted: Sequence[Operator],
        seen: Seen | None = None,
        kind: Any = None,
    ) -> None:
        self.f, self.points, self.batch, self.wanted, self.seen, self.kind = f, points, batch, wanted, seen, kind
        self.order = order_of(wanted)
        self.lengths = random_lengths(plain(points[0]), batch)
        self.steps = _draw((len(wanted[0].coordinates),)).tolist()
        self.state: State | None = None
        self.done = False

    def directions(self, seeds: Sequence[Directions], factor: float = 1.0) -> list[Directions]:
        """How points move along the symbols of the operators, s and t: only where the wanted operators move them.

        s takes steps of the size of the points, so that f(x + s v) differs from f by as much as it does over the points.
        """
        used = [j for j in range(len(self.steps)) if any(m[j] for p in self.wanted for m in p.terms)]
        moving = [m.expanded(x) if isinstance(m, Units) else list(m) for m, x in zip(seeds, self.points, strict=True)]
        steps = {j: factor * self.steps[j] * _size(self.points, [moves[j] for moves in moving]) for j in used}
        found: list[Directions] = []
        for x, moves in zip(self.points, moving, strict=True):
            along = [steps[j] * v for j in used if (v := moves[j]) is not None]
            apart = tuple(x.shape[: len(self.batch)]) == self.batch  # else all rows share it
            v = sum(along[1:], along[0]) if along and apart else None
            found.append([*moves, v, None if v is None else self._lengths(v) * v])
        return found

    def judge(self, found: Sequence[Any], again: Callable[[], Sequence[Any]]) -> None:
        """Refuse a function whose rows are mixed.

        Args:
            found: what the operators behind the wanted ones gave.
            again: finds it once more, with steps ``SHORTER``. Called where the two sides differ, since it may be by rounding
                alone: where f computes in less precision than its points have, or no digit of a derivative is left.
        """
        if self.done:
            return
        first = self._differences(found)
        suspects = [d for d in first if d.excess > 1]
        if suspects and self.state is not None:
            self.state.restore()
            second = self._differences(again())
            alike = all(
                torch.equal(*_numbers(a.value, b.value)) for a, b in zip(first, second, strict=True)
            )  # not random
            if not alike or any(a.excess > 1 and a.scales_to(b) for a, b in zip(first, second, strict=True)):
                raise RowCouplingError(
                    "f mixes rows: the result of a point changes when other points change, so its derivative with respect to "
                    "its own coordinates is not defined. Batch normalisation in training mode does so (call .eval()), and so "
                    "do means or sums over the first axis. For functions of all points together use ap.grad, ap.jacobian or "
                    "ap.hessian."
                )
        self.done = True

    def _differences(self, found: Sequence[Any]) -> list[Difference]:
        """Of the two sides, for every order of every leaf of the result."""
        differences = []
        leaves = [
            list(map(plain, tree_leaves(tree))) for tree in found
        ]  # what waits is computed under its own grad mode
        with nullcontext() if in_transform() else torch.no_grad():
            for value, *derivatives in zip(*leaves, strict=True):
                if (value.is_floating_point() or value.is_complex()) and value.numel():
                    r, allowed = self._lengths(value), max(tolerance(x.dtype) for x in (value, *self.points))
                    for k in range(1, self.order + 1):
                        left, right = derivatives[self.order + k - 1], r**k * derivatives[k - 1]
                        differences.append(Difference.of(k, value, left, right, allowed))
        return differences

    def _lengths(self, like: Tensor) -> Tensor:
        return self.lengths.reshape(*self.batch, *(1,) * (like.ndim - len(self.batch)))

    def __enter__(self) -> Trial:
        modules = self.seen.guard.modules() if self.seen else ()
        self.state = None if self.done else State(modules, self.points)
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        state, self.state = self.state, None
        if state is not None and error is None and self.seen is not None:
            self._remember(self.seen)
        elif state is not None and isinstance(error, ApolarError):
            state.restore()
            if self.seen is not None:
                self.seen.verdicts.pop(self.kind, None)

    def _remember(self, seen: Seen) -> None:
        earlier = seen.verdicts.get(self.kind)
        seen.verdicts[self.kind] = earlier.again() if earlier else Verdict()
        if not seen.guard.holds(self.f):  # f itself changes what it reads
            _followed(self.f, frozenset(seen.guard.differences(self.f))).verdicts = seen.verdicts


@dataclass
class Difference:
    """∂tᵏ f − rᵏ ∂sᵏ f where both are finite.

    Attributes:
        order: k.
        value: f.
        entries: the difference.
        excess: its largest entry over that of all of these, in units of the tolerance.
    """

    order: int
    value: Tensor
    entries: Tensor
    excess: float

    @staticmethod
    def of(order: int, value: Tensor, left: Tensor, right: Tensor, allowed: float) -> Difference:
        """Of two sides, inside of transforms too."""
        finite = torch.isfinite(left) & torch.isfinite(right)
        entries = torch.where(finite, left - right, 0.0)
        sizes = [torch.where(finite & torch.isfinite(x), x.abs(), 0.0).amax() for x in (left, right, value)]
        least = torch.finfo(value.dtype).tiny / torch.finfo(value.dtype).eps  # precision is lost below
        excess = entries.abs().amax() / torch.stack(sizes).amax().clamp(min=least) / allowed
        return Difference(order, _bare(value), _bare(entries), float(_bare(excess).max()))

    def scales_to(self, other: Difference) -> bool:
        """Whether the other one is what follows for its steps from this one, as rounding does by accident only."""
        expected = SHORTER**self.order * self.entries
        return bool(
            (other.entries - expected).abs().max() < max(0.01, tolerance(self.value.dtype)) * expected.abs().max()
        )


def check_shape(output: Any, points: Sequence[Tensor], batch: tuple[int, ...]) -> None:
    """Refuse a function that does not return one row for each point."""
    for leaf in (output,) if isinstance(output, Tensor) else tree_leaves(output):
        if tuple(leaf.shape[: len(batch)]) != batch:
            raise RowCouplingError(
                f"f must return one row for each point: points {tuple(points[0].shape)} need a result {(*batch, 'k')}, got "
                f"{tuple(leaf.shape)}. If f sums over its points, use ap.grad, ap.jacobian or ap.hessian; if it takes a single "
                "point, evaluate at one point and batch that: torch.func.vmap(lambda x: ap.evaluate(f, x, ...))(X)."
            )


def order_of(operators: Sequence[Operator]) -> int:
    """K, the highest order of a derivative."""
    return max(p.order for p in operators)


def with_trial(wanted: Sequence[Operator]) -> tuple[Operator, ...]:
    """The operators in a system with two more coordinates, and behind them 1, s, …, sᴷ, t, …, tᴷ."""
    return _with_trial(tuple(wanted))


# ------------------------------------------------------------------------------------------------------ helpers


def _draw(shape: tuple[int, ...]) -> Any:
    """±[0.5, 1.5]."""
    return _random.uniform(0.5, 1.5, shape) * _random.choice([-1.0, 1.0], shape)


def random_lengths(like: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Real numbers of either sign in ±[0.5, 1.5]."""
    return torch.from_numpy(_draw(shape)).to(like.real.dtype).to(like.device)


def random_direction(x: Tensor, axes: int) -> Tensor:
    """The same for all rows, which have so many axes."""
    return random_lengths(plain(x), tuple(x.shape[axes:])).expand(x.shape)


@lru_cache(maxsize=1024)
def _with_trial(wanted: tuple[Operator, ...]) -> tuple[Operator, ...]:
    order, names = order_of(wanted), wanted[0].coordinates.names
    s, t = (next(name for k in range(len(names) + 1) if (name := letter + "_" * k) not in names) for letter in "st")
    system = Coordinates((*names, s, t))
    same = [Operator({(*m, 0, 0): c for m, c in p.terms.items()}, system) for p in wanted]
    return (
        *same,
        system.one,
        *(system[s] ** k for k in range(1, order + 1)),
        *(system[t] ** k for k in range(1, order + 1)),
    )


def _numbers(*tensors: Tensor) -> list[Tensor]:
    """With 0 for NaN, which is not equal to itself."""
    return [torch.where(torch.isnan(x), 0.0, x) for x in tensors]


def _bare(x: Tensor) -> Tensor:
    """Without the wrappers of transforms: all of a batch of vmap."""
    bare: Tensor = plain(torch.func.debug_unwrap(x, recurse=True))
    return bare.detach()


def _size(points: Sequence[Tensor], directions: Sequence[Tensor | None]) -> Any:
    """How far the points lie from 0 along a direction, in its units; 1 where that is no length."""
    moved = [(plain(x), plain(v)) for x, v in zip(points, directions, strict=True) if v is not None and x.numel()]
    if not moved:
        return 1.0
    with nullcontext() if in_transform() else torch.no_grad():
        reach = torch.stack([(x * v).abs().amax() for x, v in moved]).amax()
        size = reach / torch.stack([(v * v).abs().amax() for _, v in moved]).amax()
        return torch.where(torch.isfinite(size) & (size > 0), size, 1.0)


def tolerance(dtype: torch.dtype) -> float:
    """Up to which differences are rounding, by the precision of a dtype."""
    return next(t for d, t in TOLERANCE.items() if torch.finfo(dtype).eps <= torch.finfo(d).eps)
