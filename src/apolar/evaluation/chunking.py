"""Some rows at a time: as many as asked for, or as memory allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from apolar.algebras.algebra import Algebra
from apolar.engine.torch_private import tree_leaves, tree_map
from apolar.errors import ShapeError
from apolar.evaluation.cost import ROWS, Counter

HELD = 4
"""How many results of the largest operation are held at a time, beside what is kept for reverse mode."""


def in_chunks(
    prepared: Callable[..., Callable[..., list[Any]]],
    tensors: Sequence[Tensor | None],
    rows: int,
    size: int,
    again: bool,
) -> list[Any]:
    """Results for some rows of the tensors at a time, one below the other.

    Args:
        prepared: of the tensors for some rows, the function of them that gives the results.
        tensors: with all rows.
        rows: how many there are.
        size: how many to take at a time.
        again: whether reverse mode runs that function once more instead of keeping what it needs.
    """
    parts = []
    for start in range(0, max(rows, 1), size):
        some = [None if x is None else x[start : start + size] for x in tensors]
        run = prepared(*some)
        parts.append(checkpoint(run, *some, use_reentrant=False) if again else run(*some))
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
