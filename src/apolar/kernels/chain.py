"""Compositions and linear layers one behind the other, in blocks of rows that stay in the cache, forward and backward.

What the backward pass needs of a block is kept as the block was computed; gradients with respect to weights are added up
block by block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from math import prod
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from apolar.kernels import compiled, eager, fused, memory
from apolar.kernels.blocks import Blocks
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
    blocks: dict[Any, Blocks] = field(default_factory=dict, repr=False)

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
        """The components of the result; and to be kept for ``pull_back`` the inputs of all links but the first, by blocks."""
        if (driver := fused.driver(self.links, tensors, keep)) is not None:
            return fused.run(self.links, self.operands, tensors, driver, keep)
        blocks = self._blocks(tensors, keep)
        rows = blocks.choose()
        plain = compiled.fit(*tensors[: self.operands])
        results, kept = [], []
        with blocks.timed("forward", len(rows)):
            for some in rows:
                inputs = self._first(tensors, some)
                for k, (link, places) in enumerate(zip(self.links, self.parameters, strict=True)):
                    kept += inputs if k and keep else []
                    inputs = [_run(link, inputs, [tensors[j] for j in places], plain)]
                results += inputs
        return [_joined(results, tensors[0].shape), *kept]

    def pull_back(
        self, needed: Sequence[bool], tensors: Sequence[Tensor], kept: Sequence[Tensor], cotangent: Tensor
    ) -> list[Tensor | None]:
        """The cotangents of those tensors that need one."""
        if kept and kept[0].ndim == 1 and (driver := fused.driver(self.links, tensors, True)) is not None:
            return fused.pull_back(self.links, self.operands, needed, tensors, kept, cotangent, driver)
        cotangent = flat(cotangent)
        each, count = len(self.links) - 1, cotangent.shape[1]
        blocks = [kept[k : k + each] for k in range(0, len(kept), each)] if each else [kept]
        found: list[list[Tensor]] = [[] for _ in tensors]
        plain = compiled.fit(*tensors[: self.operands], cotangent)
        start = 0
        with self._blocks(tensors, True).timed("backward", len(blocks)):
            for later in blocks:
                rows = slice(start, start + later[0].shape[1] if later else count)
                inputs = [self._first(tensors, rows), *([x] for x in later)]
                to_rows = cotangent if rows.stop - start == count else cotangent[:, rows]
                for k, w in self._pulled_back(needed, tensors, inputs, to_rows, plain):
                    found[k].append(w)
                start = rows.stop
        return [self._gathered(k, parts, tensors[k].shape) if parts else None for k, parts in enumerate(found)]

    def _pulled_back(
        self,
        needed: Sequence[bool],
        tensors: Sequence[Tensor],
        inputs: Sequence[Sequence[Tensor]],
        cotangent: Tensor,
        plain: bool,
    ) -> Iterator[tuple[int, Tensor]]:
        """The same for one block, with the places of the tensors."""
        for k in reversed(range(len(self.links))):
            link, places = self.links[k], self.parameters[k]
            if isinstance(link, Composition):
                cotangents = compiled.pull_back(link, *inputs[k], cotangent, plain=plain)
            else:
                if needed[places[0]]:
                    yield places[0], product(cotangent.flatten(0, -2), inputs[k][0].flatten(0, -2).conj())
                if link.bias and needed[places[1]]:
                    yield places[1], cotangent[: int(link.value)].flatten(0, -2).sum(0)
                cotangents = [_outer(cotangent, tensors[places[0]].conj())] if k or needed[0] else []
            if k:
                (cotangent,) = cotangents
            else:
                yield from ((j, w) for j, w in enumerate(cotangents) if needed[j])

    def _gathered(self, k: int, parts: Sequence[Tensor], shape: Sequence[int]) -> Tensor:
        """The cotangent of tensor k from those of the blocks: one below the other for rows, else their sum."""
        return _joined(parts, shape) if k == 0 else _total(parts).view(shape)

    def _first(self, tensors: Sequence[Tensor], rows: slice) -> list[Tensor]:
        """The inputs of the first link for some rows; uniform ones are the same for all."""
        x, *uniform = map(flat, tensors[: self.operands])
        return [x if rows.stop - rows.start == x.shape[1] else x[:, rows].contiguous(), *uniform]

    def _blocks(self, tensors: Sequence[Tensor], keep: bool) -> Blocks:
        """How the rows are cut for tensors of these shapes."""
        x = tensors[0]
        key = keep, x.shape, x.dtype, x.device, torch.get_num_threads()
        if key not in self.blocks:
            count, columns = flat(x).shape[1:]
            widest = max([columns, *(len(tensors[places[0]]) for places in self.parameters if places)])
            size = max(link.algebra.size if isinstance(link, Composition) else len(x) for link in self.links)
            once = x.device.type != "cpu" or not x.numel() or len(self.links) == 1
            bytes_ = 0 if once else count * size * widest * x.element_size()
            self.blocks[key] = Blocks(count, bytes_, *(("forward", "backward") if keep else ("forward",)))
        return self.blocks[key]


@lru_cache(maxsize=4096)
def chain(*links: Link) -> Chain:
    """The same one for the same links."""
    return Chain(links)


def flat(x: Tensor) -> Tensor:
    """Stacked components with one axis of rows and one of columns."""
    columns = x.shape[1:][-1:] or (1,)
    return x.reshape(len(x), prod(x.shape[1:-1]), *columns)


def _joined(blocks: Sequence[Tensor], shape: Sequence[int]) -> Tensor:
    """Blocks one below the other, with the axes of rows that the shape has."""
    rows = blocks[0] if len(blocks) == 1 else torch.cat(list(blocks), 1)
    return memory.shaped(rows, (len(rows), *shape[1:-1], *(rows.shape[-1:] if len(shape) > 1 else ())))


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


def _total(parts: Sequence[Tensor]) -> Tensor:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


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
