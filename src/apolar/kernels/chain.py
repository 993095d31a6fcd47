"""Chains run forward and pulled back.

Where all programs are ready they run as one call, otherwise link by link.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from apolar.engine.torch_private import unsafe_view
from apolar.kernels import compiled, eager, fused, memory
from apolar.kernels.composition import Composition
from apolar.kernels.links import Affine, Chain, Link


def run(chain: Chain, *tensors: Tensor, keep: bool = True) -> list[Tensor]:
    """The components of the result, and what goes into the links behind the first, but for tangents that come apart, where
    ``pull_back`` is to have it."""
    if fused.fits(chain, tensors, keep):
        return fused.run(chain, tensors, keep)
    result, *kept = _one_by_one(chain, tensors)
    return [_shaped(result, tensors[0].shape), *(kept if keep else [])]


def pull_back(
    chain: Chain, needed: Sequence[bool], tensors: Sequence[Tensor], kept: Sequence[Tensor], cotangent: Tensor
) -> list[Tensor | None]:
    """The cotangents of those tensors that need one."""
    if kept and kept[0].ndim == 1:  # as fused passes lay them out
        if compiled.fit(cotangent) and fused.ready(chain, cotangent, True):
            return fused.pull_back(chain, needed, tensors, kept, cotangent)
        kept = _one_by_one(chain, tensors)[1:]
    inputs = [[flat(x) for x in tensors[: chain.operands]], *([x] for x in kept)]
    for k, (link, places) in enumerate(zip(chain.links, chain.parameters, strict=True)):
        if isinstance(link, Affine) and link.apart:
            inputs[k + 1].append(rows_times(inputs[k][1], tensors[places[0]].mT))
    found: list[Tensor | None] = [None] * len(tensors)
    cotangents: Sequence[Tensor] = [flat(cotangent)]
    plain = compiled.fit(*tensors[: chain.operands], *cotangents)
    for k in reversed(range(len(chain.links))):
        link, places = chain.links[k], chain.parameters[k]
        if isinstance(link, Composition):
            cotangents = compiled.pull_back(link, *inputs[k], *cotangents, plain=plain)
            continue
        rows = [_joined(w) for w in cotangents]
        if needed[places[0]]:
            products = (product(w, _joined(x).conj()) for w, x in zip(rows, inputs[k], strict=True))
            found[places[0]] = functools.reduce(torch.add, products)
        if link.bias and needed[places[1]]:
            found[places[1]] = _joined(cotangents[0][: int(link.value)]).sum(0)
        if k or any(needed[: chain.operands]):
            cotangents = [_outer(w, tensors[places[0]].conj()) for w in cotangents]
    for j in range(chain.operands):
        found[j] = cotangents[j].reshape(tensors[j].shape) if needed[j] else None
    return found


def _one_by_one(chain: Chain, tensors: Sequence[Tensor]) -> list[Tensor]:
    """The same, with one axis of rows."""
    plain = compiled.fit(*tensors[: chain.operands])
    inputs, kept = [flat(x) for x in tensors[: chain.operands]], []
    for k, (link, places) in enumerate(zip(chain.links, chain.parameters, strict=True)):
        kept += inputs[:1] if k else []
        inputs = _run(link, inputs, [tensors[j] for j in places], plain)
    return [*inputs, *kept]


def flat(x: Tensor) -> Tensor:
    """Stacked components with one axis of rows and one of columns."""
    columns = x.shape[1:][-1:] or (1,)
    return x.reshape(len(x), prod(x.shape[1:-1]), *columns)


def _joined(x: Tensor) -> Tensor:
    """All rows of all components; in the batches of ``is_grads_batched`` there is no ``flatten``."""
    return x.reshape(prod(x.shape[:-1]), x.shape[-1])


def _shaped(x: Tensor, shape: Sequence[int]) -> Tensor:
    """Components with the axes of rows that the shape has."""
    return unsafe_view(x, (len(x), *shape[1:-1], *(x.shape[-1:] if len(shape) > 1 else ())))


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
