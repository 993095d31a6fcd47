"""What an evaluation will cost, against its alternatives, and why: counted on a few points, before it is run on many.

Above ``evaluate``. A call of f costs its floating-point operations and the numbers that it writes; the lifted pass is
counted in the same way, and nested reverse mode by the sweeps that it needs.
"""

from __future__ import annotations

import html
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import torch
from torch import Tensor

from apolar.algebras.algebra import Algebra, algebra
from apolar.algebras.operators import Monomial, Operator
from apolar.engine.jet import Jet
from apolar.engine.torch_private import tree_leaves, tree_map
from apolar.evaluation.cost import BALANCE, ROWS, Cost, Counter
from apolar.evaluation.evaluate import check_operators, evaluate, push
from apolar.evaluation.points import of_one_tensor
from apolar.evaluation.seeds import axes
from apolar.kernels.compiled import Execution, execution


class Strategy(Enum):
    """How to get the operators; the values are sentences."""

    LIFTED = "One lifted pass with ap.evaluate"
    CHUNKED = "One lifted pass with ap.evaluate, some rows at a time"
    REVERSE = "Reverse mode with torch.autograd.grad, which is cheaper here than a lifted pass"


@dataclass(frozen=True, repr=False)
class Plan:
    """What :func:`plan` found; ``print`` it to read it.

    Attributes:
        strategy: what to do.
        operators: what is wanted.
        algebra: the components that a lifted pass carries.
        points: how many points there are.
        plain: the cost of one call of f.
        lifted: the cost of one lifted pass.
        sweeps: how many sweeps nested reverse mode needs.
        nested_ratio: its predicted cost in calls of f.
        memory: bytes that a lifted pass needs at its peak.
        memory_with_gradients: bytes that are kept where the result is differentiated by parameters.
        chunk_size: rows at a time that fit into memory; None where all do.
        execution: how functions of one number run.
    """

    strategy: Strategy
    operators: tuple[Operator, ...]
    algebra: Algebra
    points: int
    plain: Cost
    lifted: Cost
    sweeps: int
    nested_ratio: float
    memory: int
    memory_with_gradients: int
    chunk_size: int | None
    execution: Execution

    @property
    def components(self) -> int:
        """m, the number of components."""
        return self.algebra.size

    @property
    def order(self) -> int:
        """The highest order of a derivative."""
        return self.algebra.order

    @property
    def ratio(self) -> float:
        """The predicted cost of a lifted pass in calls of f."""
        return self.lifted.time / (self.plain.time or 1)

    def sentences(self) -> list[str]:
        """The plan in words."""
        against = self.nested_ratio / (self.ratio or 1)
        factor = against if against >= 1 else 1 / against
        compared = f"{_times(factor)} times {'as much' if against >= 1 else 'less'}" if factor >= 1.05 else "as much"
        chunks = f": chunk_size={self.chunk_size} fits into half of the memory" if self.chunk_size else ""
        return [
            f"{self.strategy.value}{chunks}.",
            f"Wanted: {', '.join(map(repr, self.operators))}.",
            f"A lifted pass carries {self.algebra.describe()}.",
            f"It costs about {_times(self.ratio)} calls of f, which takes {_count(self.plain.flops)} floating-point operations "
            f"and writes {_count(self.plain.written)} numbers at {self.points} point{'s' * (self.points != 1)}.",
            f"Nested reverse mode needs {self.sweeps} sweep{'s' * (self.sweeps != 1)} and costs about "
            f"{_times(self.nested_ratio)} calls of f: {compared}.",
            f"It needs about {_bytes(self.memory)} of memory, and {_bytes(self.memory_with_gradients)} where gradients with "
            f"respect to parameters follow: {self.components} times the activations of f.",
            f"{self.execution.value}.",
        ]

    def __repr__(self) -> str:
        return "\n".join(self.sentences())

    def _repr_html_(self) -> str:
        head, *rest = map(html.escape, self.sentences())
        return f"<p><b>{head}</b></p><ul>{''.join(f'<li>{line}</li>' for line in rest)}</ul>"


def plan(f: Callable[..., Any], X: Tensor | Sequence[Tensor], *operators: Operator | float) -> Plan:
    """What operators of ``f`` will cost, what they would cost otherwise, and why.

    The lifted pass is counted on 16 of the points. Nested reverse mode is counted by its sweeps: differentiating a graph
    doubles its matrix products and triples the numbers that it writes, so that its cost grows exponentially with the order.

    Args:
        f: maps points ``(..., d)`` to values ``(..., k)``, row by row.
        X: points as ``evaluate`` takes them.
        operators: what is wanted.

    Returns:
        A record that prints as sentences.

    Raises:
        ApolarError: whatever ``evaluate`` raises.

    >>> dx, dy = ap.coordinates("x y")
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))
    >>> p = ap.plan(net, torch.rand(1000, 2), dx**2 + dy**2)
    >>> p.components, p.sweeps, p.strategy.name
    (4, 3, 'LIFTED')
    """
    function, points = of_one_tensor(f, X, operators)
    few = points[:ROWS] if points.ndim > 1 else points
    scale = len(points) / len(few) if len(few) else 1.0
    counters, wanted = {True: Counter(), False: Counter()}, check_operators(operators)

    def counted(p: Tensor) -> Any:
        with counters[isinstance(p, Jet)]:
            return tree_map(lambda y: y.like(y.components) if isinstance(y, Jet) else y, function(p))

    with torch.no_grad():
        evaluate(function, few, *operators)  # tests whether f mixes rows
        push(counted, [few], axes([few], wanted[0].coordinates), wanted)
    counters[False] = Counter()
    values = tree_leaves(counted(few))
    plain, lifted = counters[False].cost(scale), counters[True].cost(scale)

    over = algebra(*wanted)
    columns = sum(math.prod(y.shape[few.ndim - 1 :]) for y in values)
    levels = sweeps(*wanted)
    growth = [(2**level, 2 * 3**level) for level in levels]
    nested = plain.time + columns * sum(a * plain.flops + BALANCE * b * plain.written for a, b in growth)

    component = points.element_size() * over.size
    memory = 2 * component * plain.largest
    kept = max(component * plain.written, memory)
    needed = kept if any(y.requires_grad for y in values) else memory
    free = _free(points.device)
    fits = free is None or needed <= free or points.ndim < 2
    strategy = Strategy.REVERSE if nested < lifted.time else Strategy.LIFTED if fits else Strategy.CHUNKED
    chunk_size = max(1, int(len(points) * (free or 0) / needed)) if strategy is Strategy.CHUNKED else None
    return Plan(
        strategy=strategy,
        operators=tuple(wanted),
        algebra=over,
        points=math.prod(points.shape[:-1]),
        plain=plain,
        lifted=lifted,
        sweeps=columns * len(levels),
        nested_ratio=nested / (plain.time or 1),
        memory=memory,
        memory_with_gradients=kept,
        chunk_size=chunk_size,
        execution=execution(points.dtype, points.device),
    )


def sweeps(*operators: Operator) -> list[int]:
    """The sweeps of nested reverse mode, each by the order of the graph through which it goes.

    A sweep finds all first derivatives of one derivative; ∂ᵅ needs one for every ∂ᵝ on its way.

    >>> from apolar.algebras.operators import coordinates
    >>> sweeps(coordinates("x y").laplacian)
    [0, 1, 1]
    """
    below: set[Monomial] = set()
    for monomial in (m for p in operators for m in p.terms):
        while any(monomial):
            j = next(j for j, power in enumerate(monomial) if power)
            monomial = tuple(power - (i == j) for i, power in enumerate(monomial))
            below.add(monomial)
    return sorted(map(sum, below))


def describe(*operators: Operator) -> str:
    """What a lifted pass carries for operators of any function, and what nested reverse mode would do.

    >>> from apolar.algebras.operators import coordinates
    >>> print(describe(coordinates("x y").laplacian))
    A lifted pass carries 4 components instead of 6 (all derivatives of order 2 or less in 2 coordinates):
    1, ∂x, ∂y, 1/2 ∂x² + 1/2 ∂y².
    Nested reverse mode needs 3 sweeps for every output.
    """
    count = len(sweeps(*operators))
    return (
        f"A lifted pass carries {algebra(*operators).describe()}.\n"
        f"Nested reverse mode needs {count} sweep{'s' * (count != 1)} for every output."
    )


def _free(device: torch.device) -> int | None:
    """Half of the memory, in bytes: the rest is for others; None where it is unknown."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] // 2
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, ValueError, OSError):
        return None


def _times(factor: float) -> str:
    return f"{factor:.2g}" if factor < 10 else f"{round(factor):,}"


def _count(number: int) -> str:
    for size, word in ((10**12, "trillion"), (10**9, "billion"), (10**6, "million")):
        if number >= size:
            return f"{number / size:.3g} {word}"
    return f"{number:,}"


def _bytes(number: int) -> str:
    for size, word in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if number >= size:
            return f"{number / size:.3g} {word}"
    return f"{number} bytes"
