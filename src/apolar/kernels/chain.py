"""Compositions and linear layers one behind the other, forward and backward.

Where all programs are ready they run as one call, otherwise one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import prod
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from apolar.kernels import compiled, eager, fused, memory
from apolar.kernels.composition import Composition


class Affine(NamedTuple):
    """x Wᵀ + b of stacked components.

    Attributes:
        bias: whether there is one.
        value: whether the first component is the value, to which alone the bias is added.
    """

    bias: bool
    value: bool = True


Link: TypeAlias = "Composition | Affine"


@dataclass(frozen=True, eq=False)
class Chain:
    """Links in their order. Made by :func:`chain`.

    Its tensors are the operands of the first link, ``(components, ..., k)``, and behind them the weight and the bias, if
    there is one, of every layer.
    """

    links: tuple[Link, ...]

    @cached_property
    def operands(self) -> int:
        """How many tensors the first link takes."""
        first = self.links[0]
        return len(first.operands) if isinstance(first, Composition) else 1

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
        """The components of the result, and the inputs of all links but the first where ``pull_back`` is to have them."""
        driver = fused.driver(self.links, tensors, keep)
        if driver is not None:
            return fused.run(self.links, self.operands, tensors, driver, keep)
        result, *kept = self._one_by_one(tensors)
        return [_shaped(result, tensors[0].shape), *(kept if keep else [])]

    def pull_back(
        self, needed: Sequence[bool], tensors: Sequence[Tensor], kept: Sequence[Tensor], cotangent: Tensor
    ) -> list[Tensor | None]:
        """The cotangents of those tensors that need one."""
        if kept and kept[0].ndim == 1:  # as fused passes lay them out
            driver = fused.driver(self.links, tensors, True) if compiled.fit(cotangent) else None
            if driver is not None:
                return fused.pull_back(
                    self.links, self.operands, self.parameters, needed, tensors, kept, cotangent, driver
                )
            kept = self._one_by_one(tensors)[1:]
        inputs = [[flat(x) for x in tensors[: self.operands]], *([x] for x in kept)]
        found: list[Tensor | None] = [None] * len(tensors)
        w = flat(cotangent)
        plain = compiled.fit(*tensors[: self.operands], w)
        for k in reversed(range(len(self.links))):
            link, places = self.links[k], self.parameters[k]
            if isinstance(link, Composition):
                cotangents = compiled.pull_back(link, *inputs[k], w, plain=plain)
            else:
                if needed[places[0]]:
                    found[places[0]] = product(w.flatten(0, -2), inputs[k][0].flatten(0, -2).conj())
                if link.bias and needed[places[1]]:
                    found[places[1]] = w[: int(link.value)].flatten(0, -2).sum(0)
                cotangents = [_outer(w, tensors[places[0]].conj())] if k or needed[0] else []
            if k:
                (w,) = cotangents
            else:
                for j, x_bar in enumerate(cotangents):
                    found[j] = x_bar.view(tensors[j].shape) if needed[j] else None
        return found

    def _one_by_one(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The result and the inputs of all links but the first, with one axis of rows."""
        plain = compiled.fit(*tensors[: self.operands])
        inputs, kept = [flat(x) for x in tensors[: self.operands]], []
        for k, (link, places) in enumerate(zip(self.links, self.parameters, strict=True)):
            kept += inputs if k else []
            inputs = [_run(link, inputs, [tensors[j] for j in places], plain)]
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


def _run(link: Link, inputs: Sequence[Tensor], parameters: Sequence[Tensor], plain: bool) -> Tensor:
    if isinstance(link, Composition):
        return compiled.compose(link, *inputs, plain=plain)
    (x,), (weight, *bias) = inputs, parameters
    y = rows_times(x, weight.mT)
    if not bias or not link.value:
        return y
    if eager.in_place(y, *bias):
        y[0] += bias[0]
        return y
    return torch.cat([y[:1] + bias[0], y[1:]])


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
