"""Into how many blocks rows are cut, so that what is computed of them stays in the cache: measured, once for each shape."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

SIZES = (1 << 22, 1 << 24)
"""Bytes of a block that are tried."""

_hooks = torch._C._autograd._top_saved_tensors_default_hooks
"""Those through which tensors go that are saved for reverse mode, if there are any."""

TRIES = 3
"""How often each is timed, of which the shortest time counts."""


class Blocks:
    """The number of blocks for one shape.

    Args:
        rows: how many there are.
        size: bytes that they take at the widest place.
        passes: what is done with the blocks, each timed by itself.
    """

    def __init__(self, rows: int, size: int, *passes: str) -> None:
        self.rows = rows
        counts = dict.fromkeys(min(max(rows, 1), max(1, -(-size // block))) for block in SIZES)
        self.times: dict[int, dict[str, list[float]]] = {count: {name: [] for name in passes} for count in counts}
        self.best = next(iter(counts)) if len(counts) == 1 else None

    def choose(self) -> list[slice]:
        """Equal blocks of rows: the fastest number of them, or one that is to be tried."""
        if torch.are_deterministic_algorithms_enabled() or _hooks(True) is not None:
            count = next(iter(self.times))  # the same when torch.utils.checkpoint runs it again
        else:
            count = self.best or min(self.times, key=self._tried)
        return [slice(self.rows * k // count, self.rows * (k + 1) // count) for k in range(count)]

    @contextmanager
    def timed(self, name: str, count: int) -> Iterator[None]:
        """A pass with so many blocks, which counts for the choice."""
        start = time.perf_counter()
        yield
        if self.best is None and count in self.times:
            self.times[count][name].append(time.perf_counter() - start)
            if all(len(found) >= TRIES for passes in self.times.values() for found in passes.values()):
                self.best = min(self.times, key=lambda n: sum(map(min, self.times[n].values())))

    def _tried(self, count: int) -> int:
        return min(map(len, self.times[count].values()))
