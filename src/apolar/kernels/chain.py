"""Compositions and linear layers one behind the other, forward and backward.

Where all programs are ready they run as one call, otherwise one by one.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from math import prod
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from apolar.kernels import compiled, eager, fused, memory
from apolar.kernels.composition import Composition


class Affine(NamedTuple):
    """x Wᵀ + b of stacked components.

    Attributes:
        bias: whether there is one.
        value: whether the first component is the value, to which alone the bias is added.
        apart: whether the tangents are the same for every row, and come and go apart from the value.
    """

    bias: bool
    value: bool = True
    apart: bool = False


Link: TypeAlias = "Composition | Affine"


@dataclass(frozen=True, eq=False)
class Chain:
    """Links in their order. Made by :func:`chain`.

    Its tensors are the operands of the first link, ``(components, ..., k)``, and behind them the weight and the bias, if
    there is one, of every layer.
    """

    links: tuple[Link, ...]
    compiled: set[Any] = field(default_factory=set, repr=False)

    @cached_property
    def operands(self) -> int:
        """How many tensors the first link takes."""
        first = self.links[0]
        return 1 + first.apart if isinstance(first, Affine) else len(first.operands)

    @cached_property
    def parameters(self) -> tuple[tuple[int, ...], ...]:
        """For every link, which of the tensors are its weight and its bias."""
        places, following = [], self.operands
        for link in self.links:
            count = 1 + link.bias if isinstance(link, Affine) else 0
            places.append(tuple(range(following, following + count)))
            following += count
        return tuple(places)

    def __call__(self, *tensors: Tensor, keep: bool = True) -> list[Tensor]:
        """The components of the result, and what goes into the links behind the first, but for tangents that come apart, where
        ``pull_back`` is to have it."""
        if fused.fits(self, tensors, keep):
            return fused.run(self, tensors, keep)
        result, *kept = self._one_by_one(tensors)
        return [_shaped(result, tensors[0].shape), *(kept if keep else [])]

    def pull_back(
        self, needed: Sequence[bool], tensors: Sequence[Tensor], kept: Sequence[Tensor], cotangent: Tensor
    ) -> list[Tensor | None]:
        """The cotangents of those tensors that need one."""
        if kept and kept[0].ndim == 1:  # as fused passes lay them out
            if compiled.fit(cotangent) and fused.ready(self, cotangent, True):
                return fused.pull_back(self, needed, tensors, kept, cotangent)
            kept = self._one_by_one(tensors)[1:]
        inputs = [[flat(x) for x in tensors[: self.operands]], *([x] for x in kept)]
        for k, (link, places) in enumerate(zip(self.links, self.parameters, strict=True)):
            if isinstance(link, Affine) and link.apart:
                inputs[k + 1].append(rows_times(inputs[k][1], tensors[places[0]].mT))
        found: list[Tensor | None] = [None] * len(tensors)
        cotangents: Sequence[Tensor] = [flat(cotangent)]
        plain = compiled.fit(*tensors[: self.operands], *cotangents)
        for k in reversed(range(len(self.links))):
            link, places = self.links[k], self.parameters[k]
            if isinstance(link, Composition):
                cotangents = compiled.pull_back(link, *inputs[k], *cotangents, plain=plain)
                continue
            rows = [w.flatten(0, -2) for w in cotangents]
            if needed[places[0]]:
                products = (product(w, x.flatten(0, -2).conj()) for w, x in zip(rows, inputs[k], strict=True))
                found[places[0]] = functools.reduce(torch.add, products)
            if link.bias and needed[places[1]]:
                found[places[1]] = cotangents[0][: int(link.value)].flatten(0, -2).sum(0)
            if k or any(needed[: self.operands]):
                cotangents = [_outer(w, tensors[places[0]].conj()) for w in cotangents]
        for j in range(self.operands):
            found[j] = cotangents[j].view(tensors[j].shape) if needed[j] else None
        return found

    def _one_by_one(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The same, with one axis of rows."""
        plain = compiled.fit(*tensors[: self.operands])
        inputs, kept = [flat(x) for x in tensors[: self.operands]], []
        for k, (link, places) in enumerate(zip(self.links, self.parameters, strict=True)):
            kept += inputs[:1] if k else []
            inputs = _run(link, inputs, [tensors[j] for j in places], plain)
        return [*inputs, *kept]


@lru_cache(maxsize=4096)
def chain(*links: Link) -> Chain:
    """The same one for the same links."""
    return Chain(links)


def flat(x: Tensor) -> Tensor:
    """Stacked components with one axis of rows and one of columns."""
    columns = x.shape[1:][-1:] or (1,)
    return x.reshape(len(x), prod(x.shape[1:-1]), *columns)


def _shaped(x: Tensor, shape: Sequence[int]) -> Tensor:
    """Components with the axes of rows that the shape has."""
    return memory.shaped(x, (len(x), *shape[1:-1], *(x.shape[-1:] if len(shape) > 1 else ())))


def _run(link: Link, inputs: Sequence[Tensor], parameters: Sequence[Tensor], plain: bool) -> list[Tensor]:
    if isinstance(link, Composition):
        return [compiled.compose(link, *inputs, plain=plain)]
    return affine(link, inputs, *parameters)


def affine(link: Affine, inputs: Sequence[Tensor], weight: Tensor, bias: Tensor | None = None) -> list[Tensor]:
    """What a layer makes of stacked components, or of a value and tangents that come apart."""
    y, *tangents = (rows_times(x, weight.mT) for x in inputs)
    if bias is None or not link.value:
        return [y, *tangents]
    if eager.in_place(y, bias):
        y[0] += bias
        return [y, *tangents]
    return [torch.cat([y[:1] + bias, y[1:]]), *tangents]


def product(a: Tensor, b: Tensor) -> Tensor:
    """aᵀ·b, with the thinner factor on the left, which is several times faster."""
    return (b.mT @ a).mT if b.shape[-1] <= a.shape[-1] else a.mT @ b


def _outer(rows: Tensor, weight: Tensor) -> Tensor:
    """rows·W, which for a single output is faster entry by entry."""
    return rows * weight if len(weight) == 1 else rows_times(rows, weight)


def rows_times(x: Tensor, matrix: Tensor) -> Tensor:
    """x·M for a tensor of rows."""
    large = x.numel() * x.element_size() >= memory.SMALLEST
    if not large or torch.is_grad_enabled() or not (compiled.fit(x, matrix) and x.dtype == matrix.dtype):
        return x @ matrix
    y = memory.empty((*x.shape[:-1], matrix.shape[1]), x)
    torch.mm(x.flatten(0, -2), matrix, out=y.view(-1, matrix.shape[1]))
    return y
