"""What a computation costs: its floating-point operations and the numbers that it writes, counted as torch runs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from apolar.engine.torch_private import TorchDispatchMode, tree_leaves

ROWS = 16
"""Costs are counted on so many points."""

BALANCE = 64
"""Floating-point operations that take as long as writing one number; processors and graphics cards are near to this."""


@dataclass(frozen=True)
class Cost:
    """What a computation does.

    Attributes:
        flops: floating-point operations of matrix products, convolutions and attention.
        written: numbers that all operations write.
        largest: numbers in the largest result of one operation.
    """

    flops: int
    written: int
    largest: int

    @property
    def time(self) -> float:
        """In units of one floating-point operation."""
        return self.flops + BALANCE * self.written


class Counter(TorchDispatchMode):
    """Counts what torch computes inside."""

    def __init__(self) -> None:
        from torch.utils.flop_counter import flop_registry  # imports Triton

        super().__init__()
        self.registry = flop_registry
        self.flops = self.written = self.largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        flops = self.registry.get(func.overloadpacket)
        if flops is not None:
            self.flops += flops(*args, **(kwargs or {}), out_val=out)
        if not func.is_view:
            sizes = [x.numel() for x in tree_leaves(out) if isinstance(x, Tensor)]
            self.written += sum(sizes)
            self.largest = max(self.largest, *sizes, 0)
        return out

    def cost(self, scale: float) -> Cost:
        """What was counted, times the number of points over that of the points on which it was counted."""
        return Cost(round(self.flops * scale), round(self.written * scale), round(self.largest * scale))
