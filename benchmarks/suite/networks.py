"""The networks: rows of points ``(..., d)`` to ``(..., k)``."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

LAYERS = 4


class Residual(nn.Module):
    """x + B tanh(A x)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block(x)


class Norm(nn.Module):
    """x / √(mean x² + ε), in single operations: PyTorch differentiates its own layer_norm wrongly from the third order."""

    def forward(self, x: Tensor) -> Tensor:
        return x / torch.sqrt((x * x).mean(-1, keepdim=True) + 1e-5)


class Tokens(nn.Module):
    """A token for each coordinate: its number times a vector plus a vector."""

    def __init__(self, d: int, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.randn(d, width))
        self.place = nn.Parameter(torch.randn(d, width))

    def forward(self, x: Tensor) -> Tensor:
        return x.unsqueeze(-1) * self.scale + self.place


class Attention(nn.Module):
    """softmax(q kᵀ / √width) v, with one head."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.q, self.k, self.v, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        scores = self.q(x) @ self.k(x).transpose(-1, -2) / math.sqrt(x.shape[-1])
        return self.out(torch.softmax(scores, -1) @ self.v(x))


class Encoder(nn.Module):
    """Attention and a network of two layers, each behind a norm and with a bridge."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention = nn.Sequential(Norm(), Attention(width))
        self.layers = nn.Sequential(Norm(), nn.Linear(width, 2 * width), nn.Tanh(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(x)
        return x + self.layers(x)


class Mean(nn.Module):
    """Of the tokens."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(-2)


def mlp(d: int, k: int, width: int) -> nn.Sequential:
    """Four hidden tanh layers."""
    hidden = [layer for _ in range(LAYERS - 1) for layer in (nn.Linear(width, width), nn.Tanh())]
    return nn.Sequential(nn.Linear(d, width), nn.Tanh(), *hidden, nn.Linear(width, k))


def residual(d: int, k: int, width: int) -> nn.Sequential:
    """Two residual blocks of two layers."""
    return nn.Sequential(nn.Linear(d, width), Residual(width), nn.Tanh(), Residual(width), nn.Linear(width, k))


def transformer(d: int, k: int, width: int) -> nn.Sequential:
    """One encoder layer over the coordinates as tokens."""
    return nn.Sequential(Tokens(d, width), Encoder(width), Mean(), nn.Linear(width, k))


NETWORKS: dict[str, Callable[[int, int, int], nn.Sequential]] = {
    "tanh MLP": mlp,
    "residual": residual,
    "transformer": transformer,
}
