"""A row of a table: an equation, a network, points; and what is timed, the loss with its gradient.

The loss is the sum of the mean squares of what the equation returns, its gradient that by all parameters of the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from .cases import Case
from .floor import floor
from .networks import NETWORKS

Step = Callable[[], list[Any]]
"""Computes the loss and its gradients, in the order of the parameters; it returns when they are computed."""


@dataclass(frozen=True)
class Bar:
    """What is to be reached: times and memory of others over those of apolar, and those of apolar over the floor."""

    nested: float
    floor: float
    best: float | None = None
    memory: float = 2.0


@dataclass(frozen=True)
class Problem:
    """An equation for a network at N points."""

    case: Case
    N: int
    network: str = "tanh MLP"
    width: int = 64
    dtype: torch.dtype = torch.float32
    device: str = "cpu"
    bar: Bar | None = None

    @property
    def label(self) -> str:
        differences = [
            (self.network, "tanh MLP", self.network),
            (self.width, 64, f"width {self.width}"),
            (self.dtype, torch.float32, str(self.dtype).removeprefix("torch.")),
        ]
        special = [text for value, usual, text in differences if value != usual]
        return ", ".join([f"{self.case.name} d={self.d} N={self.N}", *special])

    @property
    def d(self) -> int:
        return len(self.case.coordinates)

    @property
    def components(self) -> int:
        return self.case.residual.algebra.size

    @property
    def order(self) -> int:
        return self.case.residual.algebra.order

    @cached_property
    def net(self) -> nn.Sequential:
        torch.manual_seed(0)
        net = NETWORKS[self.network](self.d, len(self.case.unknowns), self.width)
        return net.to(dtype=self.dtype, device=self.device)

    @cached_property
    def X(self) -> Tensor:
        generator = torch.Generator().manual_seed(1)
        return torch.rand(self.N, self.d, generator=generator, dtype=torch.float64).to(self.device, self.dtype)

    def floor(self) -> Callable[[], None]:
        return floor(self)

    def on(self, device: str) -> Problem:
        return replace(self, device=device)

    def small(self) -> Problem:
        """So small that only the overhead is left; what is to be reached has no meaning there."""
        return replace(self, N=min(self.N, 20), width=min(self.width, 8), bar=None)

    def step(self, residuals: Callable[[], Iterable[Tensor]]) -> Step:
        """For methods in PyTorch."""
        parameters = list(self.net.parameters())

        def step() -> list[Any]:
            loss = sum_of_squares(residuals())
            return [loss, *torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)]

        return step


def sum_of_squares(residuals: Iterable[Any]) -> Any:
    """Of means: Σ mean r²; for tensors and for JAX arrays."""
    return sum((r * r).mean() for r in residuals)
