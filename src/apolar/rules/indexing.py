"""Entries at indices: read, written, added to and combined. The indices are constants, so nearly all of it is linear."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from apolar.engine.jet import Jet, plain
from apolar.rules.components import apply_linear
from apolar.rules.record import Entries, Kind
from apolar.rules.registry import composite, linear, rule

linear("gather", "take_along_dim", "index_select", "take", "masked_select", entries=Entries.MOVED)
linear("scatter_add", "index_add", "index_copy", "index_fill", arguments=(0, 3, "src", "source", "value"))
linear("index_put", "put", "_index_put_impl", "_unsafe_index_put", arguments=(0, 2, "source", "values"))

# ----------------------------------------------------------------------------------------------- several at one place


@rule("scatter", kind=Kind.LINEAR)
def scatter(jet: Jet, func: Any, *args: Any, reduce: str | None = None, **kwargs: Any) -> Any:
    if reduce is not None:
        return _scatter_into(*args, **kwargs, reduce={"add": "sum", "multiply": "prod"}[reduce])
    return apply_linear(jet, func, *args, arguments=(0, 3, "src", "value"), **kwargs)


def _scatter_into(x: Any, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: str) -> Any:
    """``src`` may be a number, the same for every index."""
    src = value if src is None else src
    return scatter_reduce(x, dim, index, src if isinstance(src, Tensor) else x.new_full(index.shape, src), reduce)


@composite("scatter_reduce")
def scatter_reduce(x: Any, dim: int, index: Tensor, src: Any, reduce: str, *, include_self: bool = True) -> Any:
    """What the index sends to the same place is summed, multiplied, averaged, or the largest or smallest of it taken.

    Where several entries tie for the largest, the derivative is their mean.
    """
    if not x.ndim:
        return scatter_reduce(x[None], 0, index.reshape(-1), src.reshape(-1), reduce, include_self=include_self)[0]
    src = src[tuple(slice(n) for n in index.shape)]
    ones = torch.ones(index.shape, dtype=x.dtype, device=x.device)
    none = torch.zeros(x.shape, dtype=x.dtype, device=x.device)
    stays = torch.ones_like(none, dtype=torch.bool) if include_self else none.scatter_add(dim, index, ones) == 0
    if reduce == "prod":
        return _scattered_product(torch.where(stays, x, 1.0), dim, index, src)
    if reduce in ("amax", "amin"):
        found = torch.scatter_reduce(plain(x), dim, index, plain(src), reduce, include_self=include_self)
        stays, taken = stays & (plain(x) == found), plain(src) == found.gather(dim, index)
        src, ones = torch.where(taken, src, 0.0), taken.to(x.dtype)
    total = torch.scatter_add(torch.where(stays, x, 0.0), dim, index, src)
    return total if reduce == "sum" else total / (none.scatter_add(dim, index, ones) + stays)


def _scattered_product(x: Any, dim: int, index: Tensor, src: Any) -> Any:
    """One factor after the other: those at the same position of the index go to different places."""
    one = torch.ones(x.shape, dtype=x.dtype, device=x.device)
    for k in range(index.shape[dim] if index.numel() else 0):
        x = x * torch.scatter(one, dim, index.narrow(dim, k, 1), src.narrow(dim, k, 1))
    return x


@composite("index_reduce")
def index_reduce(x: Any, dim: int, index: Tensor, source: Any, reduce: str, *, include_self: bool = True) -> Any:
    """The same with one index for each slice along ``dim``."""
    if not x.ndim:
        return index_reduce(x[None], 0, index, source.reshape(-1), reduce, include_self=include_self)[0]
    place = [1] * source.ndim
    place[dim] = -1
    everywhere = index.reshape(place).expand(source.shape)
    return scatter_reduce(x, dim, everywhere, source, reduce, include_self=include_self)


# ------------------------------------------------------------------------------------------ indices that may lie outside


def _kept_inside(indices: list[Any], x: Any) -> list[Any]:
    return [i if i is None else i.clamp(-n, n - 1) for i, n in zip(indices, x.shape, strict=False)]


@composite("_unsafe_masked_index")
def masked_index(x: Any, mask: Tensor, indices: list[Any], fill: float) -> Any:
    """x at the indices where the mask holds, a number elsewhere."""
    at = tuple(slice(None) if i is None else i for i in _kept_inside(indices, x))
    return torch.where(mask, x[at], fill)


@composite("_unsafe_masked_index_put_accumulate")
def masked_index_put_accumulate(x: Any, mask: Tensor, indices: list[Any], values: Any) -> Any:
    """x with the values added at the indices where the mask holds."""
    return torch.index_put(x, _kept_inside(indices, x), torch.where(mask, values, 0.0), accumulate=True)
