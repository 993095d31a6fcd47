"""Components that are not stacked yet, because they may never have to be.

Tangents of coordinates are the same for every row, and remain so through a linear layer. A composition and a thin layer
behind it wait until it is known which of their components are read.
"""

from __future__ import annotations

import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Parameter

from apolar.errors import UnsupportedOperator
from apolar.jet import Jet
from apolar.kernels import reverse
from apolar.kernels.composition import Composition, composition


@dataclass(frozen=True, eq=False)
class Uniform:
    """The components of a linear map of the coordinates.

    Attributes:
        value: ``(..., k)``.
        tangents: ``(s, 1, ..., 1, k)``, the same for every row.
        carried: which components the tangents are; the others are zero.
        size: how many components there are.
    """

    value: Tensor
    tangents: Tensor
    carried: tuple[int, ...]
    size: int

    @property
    def shape(self) -> torch.Size:
        """That of one component."""
        return self.value.shape

    @property
    def dtype(self) -> torch.dtype:
        """That of all components."""
        return self.value.dtype

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.value.device

    @property
    def operands(self) -> tuple[Tensor, ...]:
        """As a composition takes them."""
        return self.value.unsqueeze(0), self.tangents

    def map(self, value: Callable[[Tensor], Tensor], tangents: Callable[[Tensor], Tensor]) -> Uniform:
        """Of an affine map that acts on every row alike."""
        return replace(self, value=value(self.value), tangents=tangents(self.tangents))

    def stacked(self) -> Tensor:
        """All components."""
        rows: list[Tensor] = [torch.zeros_like(self.value)] * self.size
        rows[0] = self.value
        for k, tangent in zip(self.carried, self.tangents.unbind(0), strict=True):
            rows[k] = tangent.expand_as(self.value)
        return torch.stack(rows)

    def some(self, wanted: tuple[int, ...]) -> Tensor:
        """Only these components."""
        return self.stacked()[list(wanted)]


class Pending(ABC):
    """Components that are computed when they are asked for, as they would have been at first.

    Attributes:
        shape, dtype, device: those of one component.
    """

    def __init__(self, like: Tensor, columns: Sequence[int], *read: Tensor) -> None:
        self.shape, self.dtype, self.device = (*like.shape[1:-1], *columns), like.dtype, like.device
        self.recorded = torch.is_grad_enabled()
        self.read = [(x, x._version) for x in read]
        self.known: Tensor | None = None
        _pending.add(self)

    def stacked(self) -> Tensor:
        """All components."""
        if self.known is None:
            self.known = self._settled(None)
        return self.known

    def some(self, wanted: tuple[int, ...]) -> Tensor:
        """Only these components."""
        return self._settled(wanted) if self.known is None else self.known[list(wanted)]

    def _settled(self, wanted: tuple[int, ...] | None) -> Tensor:
        if any(x._version != version for x, version in self.read):
            raise UnsupportedOperator(
                "a tensor was changed in place by a function that is unknown here: change parameters outside of the function."
            )
        with torch.set_grad_enabled(self.recorded):
            return self.compute(wanted)

    @abstractmethod
    def compute(self, wanted: tuple[int, ...] | None) -> Tensor:
        """These components, or all."""


_pending: weakref.WeakSet[Pending] = weakref.WeakSet()


def settle() -> None:
    """Compute what is pending: memory is about to be written to."""
    for source in list(_pending):
        source.stacked()


class Composed(Pending):
    """φ(g)."""

    def __init__(self, all_of: Composition, *operands: Tensor) -> None:
        super().__init__(operands[0], operands[0].shape[1:][-1:], *operands)
        self.composition, self.operands = all_of, operands

    def compute(self, wanted: tuple[int, ...] | None) -> Tensor:
        whole = self.composition
        return reverse.composed(
            whole if wanted is None else composition(whole.algebra, whole.taylor, whole.tangents, wanted),
            *self.operands,
        )


class ThinLayer(Pending):
    """φ(g) Wᵀ + b, with fewer columns than φ(g)."""

    def __init__(self, inner: Composed, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__(inner.operands[0], weight.shape[:1], *(x for x in (weight, bias) if x is not None))
        self.inner, self.weight, self.bias = inner, weight, bias

    def compute(self, wanted: tuple[int, ...] | None) -> Tensor:
        if wanted is None:
            return reverse.affine(self.inner.stacked(), self.weight, self.bias)
        return reverse.affine(self.inner.some(wanted), self.weight, self.bias, biased=wanted[0] == 0)


def composed(g: Jet, taylor: Callable[[Any, int], Sequence[Any]]) -> Tensor | Composed:
    """φ(g): now, or later where nothing stands in the way."""
    uniform = g.source if isinstance(g.source, Uniform) else None
    operands = (g.components,) if uniform is None else uniform.operands
    tangents = None if uniform is None else uniform.carried
    whole = composition(g.algebra, taylor, tangents)
    return Composed(whole, *operands) if postponable(*operands) else reverse.composed(whole, *operands)


def layer(x: Jet, weight: Tensor, bias: Tensor | None) -> Tensor | Uniform | ThinLayer:
    """x Wᵀ + b."""
    if isinstance(x.source, Uniform):
        return x.source.map(lambda v: F.linear(v, weight, bias), lambda v: F.linear(v, weight))
    thin = 4 * len(weight) <= weight.shape[1]
    if thin and isinstance(x.source, Composed) and postponable(*(p for p in (weight, bias) if p is not None)):
        return ThinLayer(x.source, weight, bias)
    return reverse.affine(x.components, weight, bias)


def postponable(*tensors: Tensor) -> bool:
    """Whether these are plain tensors outside of all transforms: what is computed later is the same."""
    for x in tensors:
        if type(x) not in (Tensor, Parameter) or x.is_inference():
            return False
    return not torch._C._are_functorch_transforms_active()
