"""One row: every method is compared with ours first, then those that agree and are not too slow are timed in turn."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch

from . import memory, timing
from .peers import LeftOut, Peer
from .problem import Step
from .results import OURS, Method, Row

AGREEMENT = {torch.float32: 5e-3, torch.float64: 1e-7}
"""Differences up to this are rounding; a wrong formula shows at 1."""

PROBED = 800
"""From so many points on, an eager method is tried at a sixteenth of them first, which tells what it would need."""

PREPARATION = 12
"""The first step, with tracing and compilation, may take as many times as long as a later one."""


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes:
        repeats, warmup: how often; ``seconds``: after this a row is content with five repetitions.
        limit: seconds of one call from which on a method is left out.
        share: of the memory of the machine that a method may take.
    """

    repeats: int = 15
    warmup: int = 12
    seconds: float = 10.0
    limit: float = 5.0
    share: float = 0.5


class Patience:
    """Methods that took too long at a problem, or would at the next order, are not tried again in the same series."""

    def __init__(self) -> None:
        self.lost: dict[str, str] = {}
        self.seen: dict[str, list[tuple[int, float]]] = {}

    def check(self, peer: Peer, problem: Any, limit: float) -> None:
        seen = self.seen.get(peer.name, [])[-2:]
        if len(seen) == 2:
            (n, before), (m, now) = seen
            if n < m < problem.order:  # the time grows geometrically with the order
                expected = now * max(now / before, 1.0) ** min((problem.order - m) / (m - n), 50)
                if expected > 4 * limit:
                    self.lose(peer, f"grew {now / before:.2g}-fold from order {n} to {m}")
        if peer.name in self.lost:
            raise LeftOut(self.lost[peer.name])

    def note(self, peer: Peer, problem: Any, seconds: float) -> None:
        self.seen.setdefault(peer.name, []).append((problem.order, seconds))

    def lose(self, peer: Peer, reason: str) -> None:
        self.lost.setdefault(peer.name, f"{peer.name} {reason}")


def measure(problem: Any, peers: Sequence[Peer], effort: Effort, patience: Patience) -> Row:
    """The methods at a problem, which has a label, components, an order, a dtype, a device, a number N and a floor."""
    methods: dict[str, Method] = {}
    steps: dict[str, Step] = {}
    ours: list[Any] = []
    for peer in peers:
        try:
            patience.check(peer, problem, effort.limit)
            step, found = first(peer, problem, effort, patience)
            ours = ours or found
            difference = disagreement(found, ours)
            wrong = not difference <= AGREEMENT[problem.dtype]
            methods[peer.name] = Method(difference=difference, wrong=wrong)
            if not wrong:
                steps[peer.name] = step
        except LeftOut as reason:
            methods[peer.name] = Method(reason=str(reason))
        except Exception as error:  # a peer that fails is reported; ours must not
            if peer.name == OURS:
                raise
            text = str(error).strip().splitlines() or [""]
            methods[peer.name] = Method(reason=f"{peer.name}: {type(error).__name__}: {text[0][:160]}")
    floor: Callable[[], None] | None = problem.floor()
    functions: dict[str, Callable[[], object]] = {**steps, **({"floor": floor} if floor else {})}
    times = timing.interleaved(functions, problem.device, effort.repeats, effort.warmup, effort.seconds)
    for peer in (p for p in peers if p.name in steps):
        t = times[peer.name]
        peak = memory.peak(steps[peer.name], problem.device) if peer.counted else None  # after the warm-up
        measured = {"ms": t.median, "low": t.low, "high": t.high, "repeats": t.repeats, "bytes": peak}
        methods[peer.name] = replace(methods[peer.name], **measured)
    bar = {} if problem.bar is None else asdict(problem.bar)
    at_floor = times["floor"].median if floor else None
    return Row(problem.label, problem.components, problem.order, methods, at_floor, bar)


def first(peer: Peer, problem: Any, effort: Effort, patience: Patience) -> tuple[Step, list[Any]]:
    """The step with its results, if it is not too slow and too large."""
    if peer.name != OURS and peer.eager and problem.N >= PROBED:
        probe(peer, problem, effort)
    start = time.perf_counter()
    step = peer.prepare(problem)
    found = step()
    prepared = time.perf_counter() - start
    if peer.name == OURS:
        return step, found
    patient = prepared <= PREPARATION * effort.limit
    call = quickest(step, problem.device, effort.limit) if patient else 0.0
    patience.note(peer, problem, max(call, prepared / PREPARATION))
    if call > effort.limit or not patient:
        seconds, what = (call, "a step") if patient else (prepared, "the first step")
        patience.lose(peer, f"takes {seconds:.0f} s for {what} at {problem.label}")
        raise LeftOut(patience.lost[peer.name])
    return step, found


def probe(peer: Peer, problem: Any, effort: Effort) -> None:
    """Raises LeftOut where time or memory, in proportion to the number of points, would be too much."""
    fewer = replace(problem, N=problem.N // 16)
    step = peer.prepare(fewer)
    step()
    seconds, needed = 16 * quickest(step, problem.device, effort.limit / 16), 16 * memory.peak(step, problem.device)
    if seconds > 2 * effort.limit:
        raise LeftOut(f"{peer.name} would take about {seconds:.0f} s at {problem.label}")
    if needed > effort.share * available(problem.device):
        raise LeftOut(f"{peer.name} would need about {needed / 1e9:.0f} GB at {problem.label}")


def quickest(step: Step, device: str, limit: float) -> float:
    """Seconds of a call; another two calls where it took too long, since something may have disturbed it."""
    found = timing.once(step, device)
    return found if found <= limit else min(found, timing.once(step, device), timing.once(step, device))


def available(device: str) -> float:
    """Bytes."""
    if device.startswith("cuda"):
        return torch.cuda.mem_get_info()[0]
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def disagreement(found: Sequence[Any], ours: Sequence[Any]) -> float:
    """The largest difference of a loss or gradient, relative to the largest number in all gradients, or in the loss."""
    left, right = ([array(x) for x in results] for results in (found, ours))
    parts = [(left[:1], right[:1]), (left[1:], right[1:])]
    worst = 0.0
    for theirs, mine in parts:
        scale = max((np.abs(x).max() for x in mine), default=0.0) or 1.0
        differences = [np.abs(a - b).max() / scale for a, b in zip(theirs, mine, strict=True)]
        worst = max([worst, *differences]) if all(map(np.isfinite, differences)) else float("inf")
    return float(worst)


def array(x: Any) -> np.ndarray:
    return np.asarray(x.detach().cpu() if isinstance(x, torch.Tensor) else x, dtype=np.float64)
