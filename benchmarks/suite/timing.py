"""The clock: functions take turns, so that what disturbs the machine disturbs all of them; medians."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

WARMUP_SECONDS = 4.0


@dataclass(frozen=True)
class Times:
    """Milliseconds: the median, and the quartiles beside it."""

    median: float
    low: float
    high: float
    repeats: int

    @classmethod
    def of(cls, measured: list[float]) -> Times:
        low, median, high = statistics.quantiles(measured, n=4, method="inclusive") if measured[1:] else measured * 3
        return cls(median, low, high, len(measured))


def once(function: Callable[[], object], device: str) -> float:
    """Seconds of one call."""
    synchronize(device)
    start = time.perf_counter()
    function()
    synchronize(device)
    return time.perf_counter() - start


def interleaved(
    functions: dict[str, Callable[[], object]], device: str, repeats: int, warmup: int, seconds: float
) -> dict[str, Times]:
    """Every function ``warmup`` times, slow ones less often; then all in turn ``repeats`` times.

    When ``seconds`` are over, the repetitions end at five or more.
    """
    for function in functions.values():
        start = time.perf_counter()
        for _ in range(warmup):
            once(function, device)
            if time.perf_counter() - start > WARMUP_SECONDS:
                break
    measured: dict[str, list[float]] = {name: [] for name in functions}
    start = time.perf_counter()
    for turn in range(repeats):
        if turn >= 5 and time.perf_counter() - start > seconds:
            break
        for name, function in functions.items():
            measured[name].append(1e3 * once(function, device))
    return {name: Times.of(times) for name, times in measured.items()}


def synchronize(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()
