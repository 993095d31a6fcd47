"""Choosing entries: by a condition, by order. The choice is made by the values and is the same for every
component. Where two entries tie, max and its kin take the mean of the tied entries, and sort and its kin the first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from apolar.engine.jet import Jet, anywhere, jets, plain, value
from apolar.engine.torch_private import variables
from apolar.errors import UnsupportedOperator
from apolar.rules.components import apply_linear
from apolar.rules.products import beside
from apolar.rules.record import Entries, Kind
from apolar.rules.registry import composite, linear, rule
from apolar.rules.shapes import axes, axis

# --------------------------------------------------------------------------------------------------------- by a condition


@rule("where", kind=Kind.LINEAR, linear_in=(1, 2, "self", "other"), entries=Entries.APART)
def where(jet: Jet, func: Any, *args: Any, **kwargs: Any) -> Any:
    """torch.where(condition, x, y) and x.where(condition, y)."""
    if len(args) == 1 and not kwargs:
        return torch.where(value(args[0], jet))
    branches = (1, 2, "other", "self") if func is torch.where else (0, 2, "other")
    named = {name: value(x, jet) if name == "condition" else x for name, x in kwargs.items()}
    at = 0 if func is torch.where else 1
    args = tuple(value(x, jet) if i == at else x for i, x in enumerate(args))
    return apply_linear(jet, func, *args, arguments=branches, **named)


linear("masked_fill", arguments=(0, 2, "value"), entries=Entries.APART)
linear("masked_scatter", arguments=(0, 2, "source"), entries=Entries.MOVED)


@composite("maximum")
def maximum(x: Any, y: Any) -> Any:
    return torch.where(x > y, x, torch.where(x < y, y, _tied(x, y)))


@composite("minimum")
def minimum(x: Any, y: Any) -> Any:
    return torch.where(x < y, x, torch.where(x > y, y, _tied(x, y)))


def _tied(x: Any, y: Any) -> Any:
    """The mean of entries that are equal; where one is NaN, even a constant, there is no derivative by the other."""
    half = torch.where(torch.isnan(plain(x)) | torch.isnan(plain(y)), torch.nan, 0.5)
    half = half.to(torch.result_type(plain(x), plain(y)))
    return half * x + half * y


@composite("fmax")
def fmax(x: Any, y: Any) -> Any:
    return torch.where((x >= y) | torch.isnan(y), x, y)


@composite("fmin")
def fmin(x: Any, y: Any) -> Any:
    return torch.where((x <= y) | torch.isnan(y), x, y)


@composite("clamp", "clip")
def clamp(x: Any, min: Any = None, max: Any = None) -> Any:
    x = x if min is None else torch.where((x >= min) | torch.isnan(x), x, min)
    return x if max is None else torch.where((x <= max) | torch.isnan(x), x, max)


@composite("clamp_min")
def clamp_min(x: Any, min: Any) -> Any:
    return clamp(x, min)


@composite("clamp_max")
def clamp_max(x: Any, max: Any) -> Any:
    return clamp(x, None, max)


@rule("copysign", kind=Kind.COMPOSITE)
def copysign(jet: Jet, func: Any, x: Any, y: Any) -> Any:
    """x times the sign that makes it agree with y: constant on each piece."""
    at_x, at_y = value(x, jet), value(y, jet)
    same = torch.copysign(torch.ones_like(at_x), at_x) * torch.copysign(torch.ones_like(at_x), at_y)
    return x * torch.where(at_x == 0, 0.0, same).to(same.dtype)


# -------------------------------------------------------------------------------------------------------------- by order


def chosen(x: Jet, indices: Tensor, dim: int) -> Jet:
    """The entries of ``x`` at ``indices`` along ``dim``, which the indices may have lost."""
    if not x.ndim:
        return x.like(x.components.clone())
    dim = axis(x.components, dim)
    kept = indices.ndim == x.ndim
    at = indices if kept else indices.unsqueeze(dim)
    out = torch.take_along_dim(x.components, at.unsqueeze(0), dim)
    return x.like(out if kept else out.squeeze(dim))


def by_order(*names: str, position: int = 1, default: int = -1) -> None:
    """Functions that return (values, indices) along a dimension."""

    @rule(*names, kind=Kind.SELECTION)
    def ordered(jet: Jet, func: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        if len(args) >= position and (isinstance(args[0], Tensor) or any(True for _ in jets(args))):
            return maximum(x, *args) if func.__name__ == "max" else minimum(x, *args)
        dim = kwargs.get("dim", args[position - 1] if len(args) >= position else default)
        result = func(value(x, jet), *args, **kwargs)
        if isinstance(result, Tensor):
            return extreme(jet, x, result)
        return type(result)((chosen(x, result.indices, dim), result.indices))


def extreme(jet: Jet, x: Jet, result: Tensor) -> Jet:
    """The mean of the entries that have the value ``result``."""
    return mean_where(x, x.value == result, list(range(-x.ndim, 0)), False)


def mean_where(x: Jet, mask: Tensor, dims: list[int], keepdim: bool) -> Jet:
    """The mean over axes of the entries where the mask holds."""
    if not x.ndim:
        return x.like(x.components.clone())
    kept = torch.where(mask, x.components, 0)
    return x.like(kept.sum(dims, keepdim=keepdim) / mask.sum(dims, keepdim=keepdim))


by_order("max", "min", "mode", "cummax", "cummin")
by_order("median", "nanmedian")
by_order("topk", "kthvalue", position=2)


@rule("sort", kind=Kind.SELECTION)
def sort(jet: Jet, func: Any, x: Jet, *args: Any, **kwargs: Any) -> Any:
    positional = [a for a in args if not isinstance(a, bool)]
    result = func(x.value, *args, **kwargs)
    return type(result)(
        (chosen(x, result.indices, kwargs.get("dim", positional[0] if positional else -1)), result.indices)
    )


@composite("quantile")
def quantile(x: Any, q: Any, *args: Any, **options: Any) -> Any:
    if anywhere(torch.isnan(plain(x))):
        raise UnsupportedOperator("quantile of entries that are NaN has no derivative: use torch.nanquantile")
    return nanquantile(x, q, *args, **options)


@composite("nanquantile")
def nanquantile(x: Any, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear") -> Any:
    """Between the sorted entries on either side of q (n − 1), or one of them, where n entries are not NaN."""
    rows = x.reshape(-1) if dim is None or not x.ndim else x.movedim(dim, -1)
    ordered = torch.sort(rows).values
    last = (~torch.isnan(plain(rows))).sum(-1, keepdim=True).clamp(min=1) - 1
    q = beside(q, x)
    at = q.reshape(-1) * last
    low, high, nearest = at.floor().long(), at.ceil().long(), at.round().long()
    lower, upper = (torch.take_along_dim(ordered, place, -1) for place in (low, high))
    out = {
        "linear": lambda: lower + (at - low) * (upper - lower),
        "lower": lambda: lower,
        "higher": lambda: upper,
        "midpoint": lambda: 0.5 * (lower + upper),
        "nearest": lambda: torch.take_along_dim(ordered, nearest, -1),
    }[interpolation]()
    out = out.movedim(-1, 0) if q.ndim else out.squeeze(-1)
    if not keepdim:
        return out
    place = tuple(1 if dim is None or d == dim % x.ndim else n for d, n in enumerate(x.shape))
    return out.reshape((*q.shape, *place))


def first_of_each(x: Any, groups: Tensor, number: int, dim: int | None = None) -> Any:
    """The first entry, or slice along an axis, of each group."""
    places = torch.arange(groups.numel(), device=groups.device)
    first = places.new_full((number,), groups.numel()).scatter_reduce(0, groups.reshape(-1), places, "amin")
    return x.reshape(-1)[first] if dim is None else x.index_select(dim, first)


@rule("_unique2", kind=Kind.SELECTION)
def unique(
    jet: Jet, func: Any, x: Jet, sorted: bool = True, return_inverse: bool = False, *rest: Any, **named: Any
) -> Any:
    """Each value once."""
    values, groups, counts = func(x.value, sorted, True, *rest, **named)
    return first_of_each(x, groups, len(values)), groups, counts


@rule(variables.unique_dim, kind=Kind.SELECTION)
def unique_dim(
    jet: Jet, func: Any, x: Jet, dim: int, sorted: bool = True, return_inverse: bool = False, *rest: Any, **named: Any
) -> Any:
    """Each slice along an axis once."""
    values, groups, counts = func(x.value, dim, sorted, True, *rest, **named)
    return first_of_each(x, groups, values.shape[dim], dim), groups, counts


@rule(variables.unique_consecutive, kind=Kind.SELECTION)
def unique_consecutive(
    jet: Jet, func: Any, x: Jet, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """Each value once, or each slice along an axis, of those that stand side by side."""
    values, groups, counts = func(x.value, True, return_counts, dim)
    return first_of_each(x, groups, values.shape[dim or 0], dim), groups, counts


@composite("msort")
def msort(x: Any) -> Any:
    return torch.sort(x, dim=0).values


def extremes_over_axes(name: str, function: Callable[..., Tensor]) -> None:
    """amax and amin."""

    @rule(name, kind=Kind.SELECTION)
    def over_axes(jet: Jet, func: Any, x: Jet, dim: Any = (), keepdim: bool = False) -> Jet:
        dims = axes(x.components, dim)
        return mean_where(x, x.value == function(x.value, dims, keepdim=True), dims, keepdim)


extremes_over_axes("amax", torch.amax)
extremes_over_axes("amin", torch.amin)


@composite("aminmax")
def aminmax(x: Any, *, dim: int | None = None, keepdim: bool = False) -> Any:
    dims = () if dim is None else dim
    return torch.return_types.aminmax((torch.amin(x, dims, keepdim), torch.amax(x, dims, keepdim)))
