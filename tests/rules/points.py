"""Where the cases are evaluated: each maker takes a generator and gives a float64 tensor (or indices)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor

Maker = Callable[[Generator], Tensor]
FLOAT = torch.float64


def normal(*shape: int) -> Maker:
    """Standard normal entries."""
    return lambda g: torch.randn(shape, generator=g, dtype=FLOAT)


def uniform(low: float, high: float, *shape: int) -> Maker:
    """Entries between two bounds."""
    return lambda g: low + (high - low) * torch.rand(shape, generator=g, dtype=FLOAT)


def positive(*shape: int) -> Maker:
    """Entries between 0.7 and 2."""
    return uniform(0.7, 2.0, *shape)


def away(*shape: int) -> Maker:
    """Entries of both signs, 0.6 to 1.6 away from 0."""
    signed = uniform(-1.0, 1.0, *shape)
    return lambda g: (lambda x: x.sign() * (0.6 + x.abs()))(signed(g))


def separated(*shape: int) -> Maker:
    """Entries of both signs that differ from each other, and from 0, by at least 0.5: no ties."""

    def make(g: Generator) -> Tensor:
        n = torch.Size(shape).numel()
        grid = torch.randperm(n, generator=g).to(FLOAT) - n // 2 + 0.5
        return (0.8 * grid + 0.15 * (torch.rand(n, generator=g, dtype=FLOAT) - 0.5)).reshape(shape)

    return make


def between_integers(*shape: int) -> Maker:
    """Entries whose fractional part lies between 0.2 and 0.4: no rounding function jumps there, nor at a half."""
    whole, part = integers(-3, 4, *shape), uniform(0.2, 0.4, *shape)
    return lambda g: whole(g) + part(g)


def values(*entries: float) -> Maker:
    """A vector of given numbers."""
    return lambda g: torch.tensor(entries, dtype=FLOAT)


def between_kinks() -> Maker:
    """A vector that crosses every piece of the activations in torch.nn, 0.2 or more from where they bend."""
    return values(-7.3, -4.1, -2.4, -1.6, -0.73, 0.24, -0.26, 0.74, 1.45, 2.6, 3.7, 5.2, 7.2, 23.0)


def integers(low: int, high: int, *shape: int) -> Maker:
    """Whole numbers low ≤ n < high, for indices."""
    return lambda g: torch.randint(low, high, shape, generator=g)


def probabilities(*shape: int) -> Maker:
    """Positive entries that sum to 1 over the last axis."""
    return lambda g: torch.softmax(torch.randn(shape, generator=g, dtype=FLOAT), -1)


def regular(*shape: int) -> Maker:
    """Square matrices with a condition number of about 5, determinants of either sign."""

    def make(g: Generator) -> Tensor:
        q, _ = torch.linalg.qr(torch.randn(shape, generator=g, dtype=FLOAT))
        spectrum = torch.linspace(0.8, 2.5, shape[-1], dtype=FLOAT)
        return q * spectrum + 0.15 * torch.randn(shape, generator=g, dtype=FLOAT)

    return make


def definite(*shape: int) -> Maker:
    """Symmetric positive definite matrices with eigenvalues well apart."""

    def make(g: Generator) -> Tensor:
        q, _ = torch.linalg.qr(torch.randn(shape, generator=g, dtype=FLOAT))
        return q @ torch.diag_embed(1.5 + 1.5 * torch.arange(shape[-1], dtype=FLOAT)) @ q.mT

    return make


def triangular(*shape: int) -> Maker:
    """Lower triangular matrices with a diagonal near 1.5."""
    return lambda g: torch.randn(shape, generator=g, dtype=FLOAT).tril(-1) + 1.5 * torch.eye(shape[-1], dtype=FLOAT)
