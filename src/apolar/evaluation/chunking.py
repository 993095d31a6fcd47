"""Some rows at a time: as many as asked for, or as memory allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from apolar.algebras.algebra import Algebra
from apolar.engine.guard import Guard
from apolar.engine.torch_private import tree_leaves, tree_map, version
from apolar.errors import ModifiedError, ShapeError
from apolar.evaluation.cost import ROWS, Counter
from apolar.evaluation.row_independence import guard_of

HELD = 4
"""How many results of the largest operation are held at a time, beside what is kept for reverse mode."""


class Rerun:
    """A function that reverse mode runs again, and what it read when it ran last: another result would follow from other
    numbers, and a wrong gradient. As in autograd, tensors are compared by the counters of their versions.

    Attributes:
        f: the function.
        tensors: its arguments.
    """

    def __init__(self, f: Callable[..., Any], tensors: Sequence[Tensor | None]) -> None:
        self.f, self.tensors = f, [x for x in tensors if x is not None]
        self.guard: Guard | None = None

    def note(self) -> None:
        """What it reads is as it should be."""
        if self.guard is None or not self.guard.holds(self.f):
            self.guard = guard_of(self.f)
        self.read = [*self.tensors, *self.guard.tensors()]
        self.versions = list(map(_version, self.read))

    def __call__(self, run: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
        """``run``, which calls the function; all that is read is compared from the second time on."""

        def unchanged(*some: Any) -> list[Any]:
            if self.guard is None:
                return run(*some)
            self._compare(self.guard)
            try:
                return run(*some)
            finally:
                self.note()  # f itself may change what it reads

        return unchanged

    def _compare(self, guard: Guard) -> None:
        changed = [f"a tensor {tuple(x.shape)}" for x, v in zip(self.read, self.versions) if _version(x) != v]
        if not guard.holds(self.f):
            changed += guard.differences(self.f)
        if changed:
            raise ModifiedError(
                f"{', '.join(changed[:3])}, which f reads, was changed before the backward pass, which runs f again because of "
                "max_memory: the gradient would be that of another function. Call backward first, then change it."
            )


def _version(x: Tensor) -> int:
    return 0 if x.is_inference() else version(x)


def in_chunks(
    prepared: Callable[..., Callable[..., list[Any]]],
    tensors: Sequence[Tensor | None],
    rows: int,
    size: int,
    again: Rerun | None,
) -> list[Any]:
    """Results for some rows of the tensors at a time, one below the other.

    Args:
        prepared: of the tensors for some rows, the function of them that gives the results.
        tensors: with all rows.
        rows: how many there are.
        size: how many to take at a time.
        again: what reverse mode runs once more instead of keeping what it needs; None where it keeps it.
    """
    parts = []
    for start in range(0, max(rows, 1), size):
        some = [None if x is None else x[start : start + size] for x in tensors]
        run = prepared(*some)
        parts.append(run(*some) if again is None else checkpoint(again(run), *some, use_reentrant=False))
    if again is not None:
        again.note()
    return [tree_map(lambda *pieces: torch.cat(pieces), *column) for column in zip(*parts, strict=True)]


def rows_within(f: Callable[..., Any], points: Sequence[Tensor], over: Algebra, max_memory: int) -> int:
    """How many rows of the first axis a lifted pass of ``f`` can take at a time within so many bytes.

    Counted from what a call of ``f`` writes for a few rows: a component each of what is kept for reverse mode, of a chunk
    that is run again, and of what an operation holds.

    Raises:
        ShapeError: not even one row fits.
    """
    few = [x[:ROWS] for x in points]
    counter = Counter()
    with counter:
        values = tree_leaves(f(*few))
    kept = counter.written if any(y.requires_grad for y in values) else 0
    each = over.size * points[0].element_size() * (kept + HELD * counter.largest) / max(len(few[0]), 1)
    size = int(max_memory // each) if each else max(len(points[0]), 1)
    if size < 1:
        raise ShapeError(
            f"max_memory={max_memory} bytes are too few: one row of {tuple(points[0].shape)} needs about {round(each):,}"
        )
    return size
