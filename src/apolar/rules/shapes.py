"""Rearranging entries: linear, and written for all components at once, so that a view of a jet is a view.

``x`` is a tensor of stacked components: axis 0 counts them, so an axis of the jet is reached from the right, as a negative
number, and a target shape gets the number of components in front.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from apolar.engine.jet import Jet, belongs, component_list, constant_components, jets, unsupported
from apolar.engine.torch_private import variables
from apolar.rules.components import apply_linear
from apolar.rules.inplace import before_writing, overwrite, perhaps_view, refuse_overlap
from apolar.rules.products import align, beside
from apolar.rules.record import Entries, Kind
from apolar.rules.registry import composite, linear, rule, stacked, views


def axis(x: Tensor, dim: int) -> int:
    """The axis ``dim`` of a jet as a negative number, which means the same for the stacked components."""
    return dim - (x.ndim - 1) if dim >= 0 else dim


def axes(x: Tensor, dims: int | Sequence[int] | None) -> list[int]:
    """Axes of a jet as negative numbers; None and () mean all of them."""
    dims = (dims,) if isinstance(dims, int) else dims
    return [axis(x, d) for d in dims] if dims else list(range(1 - x.ndim, 0))


def flat(items: tuple[Any, ...]) -> tuple[Any, ...]:
    """f(2, 3) and f((2, 3)) mean the same."""
    return tuple(items[0]) if len(items) == 1 and isinstance(items[0], (tuple, list)) else items


# ---------------------------------------------------------------------------------------------------------- same entries


@rule("clone", "alias", kind=Kind.LINEAR, entries=Entries.APART)
def clone(jet: Jet, func: Any, x: Jet, *, memory_format: torch.memory_format = torch.preserve_format) -> Jet:
    contiguous = memory_format == torch.contiguous_format
    return jet.like(x.components.clone(memory_format=memory_format if contiguous else torch.preserve_format))


@composite("__deepcopy__")
def deepcopy(x: Any, memo: Any) -> Any:
    return x.clone()


@rule("contiguous", kind=Kind.LINEAR, entries=Entries.APART)
def contiguous(jet: Jet, func: Any, x: Jet, **options: Any) -> Jet:
    if x.components.ndim == 1 or not x.components.numel():
        return x
    lies_so = x.value.is_contiguous(**options)
    return perhaps_view(x, x.components if lies_so else x.components.clone(memory_format=torch.contiguous_format))


@rule("view", kind=Kind.LINEAR, entries=Entries.MOVED)
def view(jet: Jet, func: Any, x: Jet, *shape: Any, **named: Any) -> Jet:
    full = stacked_shape(jet, func, x, shape, named)
    try:
        return x.sharing(x.components.view(full))
    except RuntimeError:  # no view of the components: torch fails as well, or has x in another layout
        return perhaps_view(x, x.components.reshape(full))


@rule("reshape", torch.ops.aten.view.default, kind=Kind.LINEAR, entries=Entries.MOVED)
def reshape(jet: Jet, func: Any, x: Jet, *shape: Any, **named: Any) -> Jet:
    """Below torch's own functions, reshape has become aten::view."""
    return reshaped(x, x.components.reshape(stacked_shape(jet, func, x, shape, named)))


def reshaped(x: Jet, components: Tensor) -> Jet:
    """A view in every layout where no axes are joined."""
    return (perhaps_view if joins(x.components.shape, components.shape) else Jet.sharing)(x, components)


def joins(old: Sequence[int], new: Sequence[int]) -> bool:
    """Whether axes of the new shape go over several of the old one.

    >>> joins((6, 4), (2, 3, 1, 4)), joins((6, 4), (3, 8))
    (False, True)
    """
    if 0 in new:
        return False
    sizes, left = iter(old), 1
    for size in new:
        while left == 1 != size:
            left = next(sizes)
        if left % size:
            return True
        left //= size
    return False


def stacked_shape(jet: Jet, func: Any, x: Jet, shape: tuple[Any, ...], named: dict[str, Any]) -> tuple[int, ...]:
    """The shape of the components where the jet gets ``shape``."""
    shape = flat(shape or (named.get("shape", named.get("size")),))
    if isinstance(shape[0] if shape else 0, torch.dtype):
        raise unsupported(func, jet, "It reinterprets memory: use .to(dtype).")
    if -1 in shape and not x.numel():
        shape = torch.empty(x.shape, device="meta").reshape(shape).shape
    return x.components.shape[:1] + tuple(shape)


@composite("view_as")
def view_as(x: Any, other: Any) -> Any:
    return x.view(other.shape)


@composite("reshape_as")
def reshape_as(x: Any, other: Any) -> Any:
    return x.reshape(other.shape)


@rule("flatten", kind=Kind.LINEAR, entries=Entries.MOVED)
def flatten(jet: Jet, func: Any, x: Jet, start_dim: int = 0, end_dim: int = -1) -> Jet:
    components = x.components if x.components.ndim > 1 else x.components.unsqueeze(-1)
    return reshaped(x, components.flatten(axis(components, start_dim), axis(components, end_dim)))


@rule("ravel", kind=Kind.LINEAR, entries=Entries.MOVED)
def ravel(jet: Jet, func: Any, x: Jet) -> Jet:
    """A copy of a vector with gaps, where ``flatten`` is a view."""
    return flatten(jet, func, contiguous(jet, func, x))


@views("unflatten")
def unflatten(x: Tensor, dim: int, sizes: Any) -> Tensor:
    return x.unflatten(axis(x, dim), sizes)


@rule("squeeze", kind=Kind.LINEAR, entries=Entries.MOVED)
def squeeze_0d(jet: Jet, func: Any, x: Jet, *dims: Any) -> Jet:
    return x.sharing(squeeze(x.components, *dims) if x.ndim else x.components)


def squeeze(x: Tensor, dim: int | tuple[int, ...] | None = None) -> Tensor:
    """Axes of length 1, all or some."""
    return x.squeeze([d for d in axes(x, dim) if x.shape[d] == 1])


@composite("unsqueeze")
def unsqueeze(x: Any, dim: int) -> Any:
    return x[(slice(None),) * (dim if dim >= 0 else dim + x.ndim + 1) + (None,)]


@views("permute")
def permute(x: Tensor, *dims: Any, **named: Any) -> Tensor:
    return x.permute(0, *axes(x, flat(dims or (named["dims"],))))


@views("transpose", "swapaxes", "swapdims")
def transpose(x: Tensor, dim0: int, dim1: int) -> Tensor:
    return x.transpose(axis(x, dim0), axis(x, dim1))


@views("t", Tensor.T.__get__)  # type: ignore[attr-defined]
def t(x: Tensor) -> Tensor:
    return x.permute(0, *range(x.ndim - 1, 0, -1))


views("adjoint", Tensor.H.__get__, Tensor.mH.__get__, entries=Entries.MIXED)(lambda x: x.mH)  # type: ignore[attr-defined]
views(Tensor.mT.__get__)(lambda x: x.mT)  # type: ignore[attr-defined]


@views("movedim", "moveaxis")
def movedim(x: Tensor, source: Any, destination: Any) -> Tensor:
    return x.movedim(axes(x, source), axes(x, destination))


@rule("expand", "broadcast_to", kind=Kind.LINEAR, entries=Entries.MOVED)
def expand(jet: Jet, func: Any, x: Jet, *shape: Any, **named: Any) -> Jet:
    shape = flat(shape or (named.get("size", named.get("shape")),))
    return x.sharing(align(x, len(shape)).expand(-1, *shape))


@composite("expand_as")
def expand_as(x: Any, other: Any) -> Any:
    return x.expand(other.shape)


@composite("broadcast_tensors")
def broadcast_tensors(*tensors: Any) -> Any:
    tensors = flat(tensors)
    shape = torch.broadcast_shapes(*(x.shape for x in tensors))
    return tuple(x.expand(shape) for x in tensors)


# --------------------------------------------------------------------------------------------------------------- pieces


@views("narrow")
def narrow(x: Tensor, dim: int, start: Any, length: int) -> Tensor:
    return x.narrow(axis(x, dim), start, length)


@views("select")
def select(x: Tensor, dim: int, index: int) -> Tensor:
    return x.select(axis(x, dim), index)


def retaken(x: Tensor, pieces: Sequence[Tensor], dim: int) -> tuple[Tensor, ...]:
    """The same pieces as single views, which may be written to."""
    starts = accumulate((p.shape[dim] for p in pieces), initial=0)
    return tuple(x.narrow(dim, start, p.shape[dim]) for start, p in zip(starts, pieces, strict=False))


@views("split", "split_with_sizes")
def split(x: Tensor, split_size_or_sections: Any = None, dim: int = 0, *, split_size: Any = None) -> Any:
    return retaken(x, x.split(split_size_or_sections if split_size is None else split_size, axis(x, dim)), axis(x, dim))


@views("chunk")
def chunk(x: Tensor, chunks: int, dim: int = 0) -> Any:
    return retaken(x, x.chunk(chunks, axis(x, dim)), axis(x, dim))


def copied(pieces: Any) -> Callable[..., Any]:
    """Pieces whose memory autograd takes for their own."""
    return lambda *args, **kwargs: tuple(piece.clone() for piece in pieces(*args, **kwargs))


stacked("unsafe_split", "unsafe_split_with_sizes", entries=Entries.MOVED)(copied(split))
stacked("unsafe_chunk", entries=Entries.MOVED)(copied(chunk))


@views("tensor_split")
def tensor_split(x: Tensor, indices_or_sections: Any, dim: int = 0) -> Any:
    return retaken(x, x.tensor_split(indices_or_sections, axis(x, dim)), axis(x, dim))


@views("hsplit")
def hsplit(x: Tensor, sections: Any) -> Any:
    return retaken(x, x.tensor_split(sections, axis(x, 0 if x.ndim == 2 else 1)), axis(x, 0 if x.ndim == 2 else 1))


@views("vsplit")
def vsplit(x: Tensor, sections: Any) -> Any:
    return retaken(x, x.tensor_split(sections, axis(x, 0)), axis(x, 0))


@views("dsplit")
def dsplit(x: Tensor, sections: Any) -> Any:
    return retaken(x, x.tensor_split(sections, axis(x, 2)), axis(x, 2))


@views("unbind")
def unbind(x: Tensor, dim: int = 0) -> Any:
    return tuple(x.select(axis(x, dim), k) for k in range(x.shape[axis(x, dim)]))


@composite("__iter__")
def iterate(x: Any) -> Any:
    return iter(x.unbind(0))


@views("diagonal")
def diagonal(x: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    return x.diagonal(offset, axis(x, dim1), axis(x, dim2))


@composite(torch.linalg.diagonal)
def linalg_diagonal(x: Any, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    return x.diagonal(offset, dim1, dim2)


@composite("diag")
def diag(x: Any, diagonal: int = 0) -> Any:
    return torch.diag_embed(x, diagonal) if x.ndim == 1 else x.diagonal(diagonal).clone()


@composite("diagflat")
def diagflat(x: Any, offset: int = 0) -> Any:
    return torch.diag_embed(x.flatten(), offset)


@views("unfold")
def unfold(x: Tensor, dimension: int, size: int, step: int) -> Tensor:
    return x.unfold(axis(x, dimension), size, step)


linear("diagonal_scatter", "select_scatter", "slice_scatter", arguments=(0, 1, "src"), entries=Entries.MOVED)
linear("diag_embed", "rot90", "repeat", "tile", "repeat_interleave", "fliplr", "flipud", entries=Entries.MOVED)
linear("trace")


@stacked("tril", entries=Entries.APART)
def tril(x: Tensor, diagonal: int = 0) -> Tensor:
    return x.tril(diagonal)


@stacked("triu", entries=Entries.APART)
def triu(x: Tensor, diagonal: int = 0) -> Tensor:
    return x.triu(diagonal)


@stacked("flip", entries=Entries.MOVED)
def flip(x: Tensor, *dims: Any, **named: Any) -> Tensor:
    return x.flip([axis(x, d) for d in flat(dims or (named["dims"],))])


@rule("roll", kind=Kind.LINEAR, entries=Entries.MOVED)
def roll(jet: Jet, func: Any, x: Jet, shifts: Any, dims: Any = None) -> Any:
    if dims is None or dims == ():
        return x.flatten().roll(shifts, 0).reshape(x.shape) if x.ndim != 1 else x.roll(shifts, 0)
    return jet.like(x.components.roll(shifts, axes(x.components, dims)))


# ------------------------------------------------------------------------------------------------------ several together

linear("hstack", "vstack", "dstack", "row_stack", "column_stack", "combinations", entries=Entries.MOVED)


@composite("meshgrid", variables.meshgrid)
def meshgrid(*tensors: Any, indexing: str = "ij") -> Any:
    tensors = flat(tensors)
    last = len(tensors) - 1
    order = [1, 0, *range(2, last + 1)] if indexing == "xy" and last else list(range(last + 1))
    shape = [tensors[k].numel() for k in order]
    grids = []
    for k, x in enumerate(tensors):
        place = [1] * (last + 1)
        place[order.index(k)] = x.numel()
        grids.append(x.reshape(place).expand(shape))
    return tuple(grids)


@rule("block_diag", kind=Kind.LINEAR)
def block_diag(jet: Jet, func: Any, *tensors: Any, **options: Any) -> Any:
    """The tensors may come as a list or one by one."""
    return apply_linear(jet, func, *tensors, arguments=tuple(range(len(tensors))), **options)


@rule("cat", "concat", "concatenate", kind=Kind.LINEAR, entries=Entries.MOVED)
def cat(jet: Jet, func: Any, tensors: Any, dim: int = 0, **named: Any) -> Jet:
    """Tensors of shape (0,) are left out, as in torch, where the others have more axes."""
    dim = named.get("axis", dim)
    longest = max(tensors, key=lambda x: x.ndim)
    tensors = [x for x in tensors if x.shape != (0,)] or [longest]
    parts = [x.components if belongs(x, jet) else constant_components(x, jet) for x in tensors]
    dtype = functools.reduce(torch.promote_types, (x.dtype for x in tensors))
    return jet.like(torch.cat([part.to(dtype) for part in parts], axis(parts[0], dim)))


@rule("stack", kind=Kind.LINEAR, entries=Entries.MOVED)
def stack(jet: Jet, func: Any, tensors: Any, dim: int = 0) -> Jet:
    parts = [x.components if belongs(x, jet) else constant_components(x, jet) for x in tensors]
    return jet.like(torch.stack(parts, dim + 1 if dim >= 0 else dim))


# ---------------------------------------------------------------------------------------------------- dtype and device


@rule(
    "to",
    "type_as",
    "float",
    "double",
    "half",
    "bfloat16",
    "cfloat",
    "cdouble",
    "chalf",
    "type",
    "cpu",
    "cuda",
    kind=Kind.LINEAR,
    entries=Entries.APART,
)
def to(jet: Jet, func: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    """Floating point: every component; integers: the value alone, since rounding has no derivative."""
    if not belongs(x, jet):
        return func(x, *(a.value if belongs(a, jet) else a for a in args), **kwargs)
    order = kwargs.pop("memory_format", torch.preserve_format)
    plain = [torch.empty(0, dtype=a.dtype, device=a.device) if isinstance(a, Jet) else a for a in args]
    components = func(x.components, *plain, **kwargs)
    if not isinstance(components, Tensor):
        return func(x.value, *plain, **kwargs)
    if components is x.components:
        return x if order == torch.preserve_format else contiguous(jet, func, x, memory_format=order)
    if components.is_floating_point() or components.is_complex():
        return jet.like(components)
    return components[0]


# -------------------------------------------------------------------------------------------------------------- indexing


@rule("__getitem__", kind=Kind.LINEAR, entries=Entries.MOVED)
def getitem(jet: Jet, func: Any, x: Any, index: Any) -> Any:
    if not belongs(x, jet):
        raise unsupported(func, jet, "A tensor that depends on the coordinates cannot be an index.")
    return (
        jet.like(_behind(x.components, index).movedim(-1, 0))
        if _advanced(index)
        else x.sharing(x.components[(slice(None), *(index if isinstance(index, tuple) else (index,)))])
    )


@rule("__setitem__", kind=Kind.LINEAR)
def setitem(jet: Jet, func: Any, x: Any, index: Any, new: Any) -> None:
    """Written into the components, so that views see it."""
    if any(True for _ in jets(index)):
        raise unsupported(func, jet, "A tensor that depends on the coordinates cannot be an index.")
    before_writing(jet, func, x)
    refuse_overlap(jet, func, x.components[0] if _advanced(index) else x.components[0][index])
    for k, component in enumerate(component_list(new, jet)):
        x.components[k][index] = component


@rule("copy_", "fill_", kind=Kind.LINEAR)
def copy_(jet: Jet, func: Any, x: Any, source: Any = None, *args: Any, value: Any = None, **kwargs: Any) -> Any:
    """Every entry of ``x`` becomes that of ``source``."""
    source = value if source is None else source
    return overwrite(jet, func, x, beside(source, x).expand(x.shape))


@composite("fill")
def fill(x: Any, value: Any) -> Any:
    """A new tensor like ``x`` with the same number everywhere."""
    if not isinstance(value, Tensor):
        return torch.full_like(x, value)
    return value.to(x.dtype).expand(x.shape).clone()


@rule("zero_", kind=Kind.LINEAR)
def zero_(jet: Jet, func: Any, x: Jet) -> Any:
    return overwrite(jet, func, x, torch.zeros(x.shape, dtype=x.dtype, device=x.device))


def _advanced(index: Any) -> bool:
    """Whether tensors with axes, lists or masks are among the indices: then torch copies."""
    items = index if isinstance(index, tuple) else (index,)
    return any(isinstance(i, bool) or not (isinstance(i, BASIC) or _integer(i)) for i in items)


BASIC = (int, slice, type(None), type(Ellipsis))


def _integer(index: Any) -> bool:
    """Whether an index is an integer without axes, of torch or NumPy."""
    return getattr(index, "ndim", 1) == 0 and index.dtype not in (torch.bool, torch.uint8)


def _behind(components: Tensor, index: Any) -> Tensor:
    """x[index] with the components as the last axis, which no rule of advanced indexing moves."""
    items = index if isinstance(index, tuple) else (index,)
    last = components.movedim(0, -1)
    if not any(i is Ellipsis for i in items):
        return last[items]
    at = next(k for k, i in enumerate(items) if i is Ellipsis)
    used = sum(
        i.ndim if isinstance(i, Tensor) and i.dtype == torch.bool else i is not None and not isinstance(i, bool)
        for i in items
        if i is not Ellipsis
    )
    return last[items[:at] + (slice(None),) * (components.ndim - 1 - used) + items[at + 1 :]]
