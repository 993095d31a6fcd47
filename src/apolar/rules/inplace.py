"""Views and writes: what changes when memory is written to, and what is refused because a jet cannot tell."""

from __future__ import annotations

import weakref
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from apolar.engine.context import values_decide
from apolar.engine.jet import Jet, belongs, jets, plain, unsupported
from apolar.engine.torch_private import is_view, no_dispatch, tree_leaves, without_overrides
from apolar.kernels import sources
from apolar.rules.components import apply_linear
from apolar.rules.kinks import written

OPERATORS = {
    "__iadd__": "add", "__isub__": "sub", "__imul__": "mul", "__itruediv__": "div", "__idiv__": "div",
    "__ipow__": "pow", "__ifloordiv__": "floor_divide", "__imod__": "remainder",
}  # fmt: skip
"""What Python's operators with an equals sign are without it."""

RESHAPING = ("squeeze_", "unsqueeze_", "transpose_", "swapaxes_", "swapdims_", "t_")
"""In-place functions that write no entry."""


def writes(func: Any) -> bool:
    """Whether a function writes into its first argument."""
    return getattr(func, "__name__", "") == "__setitem__" or out_of_place(func) is not None


def out_of_place(func: Any) -> Any:
    """x.add for x.add_ and +=, torch.relu for torch.relu_; None for a function that does not work in place."""
    name = getattr(func, "__name__", "")
    if name in OPERATORS:
        return getattr(Tensor, OPERATORS[name])
    if not name.endswith("_") or name.endswith("__"):
        return None
    return next((getattr(s, name[:-1]) for s in (Tensor, torch, F) if callable(getattr(s, name[:-1], None))), func)


def in_place(jet: Jet, func: Any, twin: Any, x: Any = None, *args: Any, **kwargs: Any) -> Any:
    """``func`` by ``twin``, which gives a new tensor, written into ``x``."""
    if twin is func or x is None:
        raise unsupported(func, jet, "It works in place; use a function that returns a new tensor.")
    if func.__name__ in RESHAPING:
        return _reshaped(x, twin(x, *args, **kwargs))
    before = x.like(x.components.clone()) if belongs(x, jet) else x
    args = tuple(before if a is x else a for a in args)
    result = twin(before, *args, **kwargs)
    if result.is_complex() and not x.is_complex():
        raise unsupported(func, jet, f"Its result of {result.dtype} does not fit into {x.dtype}; use it instead.")
    return overwrite(jet, func, x, result)


def _reshaped(x: Jet, view: Jet) -> Jet:
    """``x`` takes the shape of a view of itself, and keeps its memory."""
    with without_overrides(), no_dispatch():
        Tensor.as_strided_(x, view.shape, view.stride())
    x.components = view.components
    return x


def frozen(jet: Jet, func: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    """A linear function, component by component. If it is a view in torch, it is none here, and nothing may be written."""
    result = apply_linear(jet, func, x, *args, **kwargs)
    at = plain(x).clone()
    if not values_decide() or any(y is at or is_view(y) for y in tree_leaves(func(at, *args, **kwargs))):
        for shared in (*jets(x), *jets(result)):
            shared.frozen = True
            if shared.base is not None:
                shared.base.frozen = True
    return result


def perhaps_view(x: Jet, components: Tensor) -> Jet:
    """What torch makes a view of ``x`` or a copy, by the layout of ``x`` in memory, which need not be that of the jet."""
    result = x.like(components)
    result.perhaps_views = share(x, result)
    return result


def share(x: Jet, other: Any) -> list[weakref.ref[Any]]:
    """Something else may share memory with ``x``, as long as it is in use: all that may."""
    base = x if x.base is None else x.base
    alive = base.perhaps_views
    if alive is None:
        alive = base.perhaps_views = []
        alive.append(weakref.ref(base, alive.remove))
    alive.append(weakref.ref(other, alive.remove))
    return alive


def refuse_overlap(jet: Jet, func: Any, written: Tensor) -> None:
    """Where entries share a place, what is written once is read several times."""
    if overlaps(written):
        raise unsupported(
            func, jet, "Several entries share one place in memory, as expand and unfold make them: clone it."
        )


def overlaps(x: Tensor) -> bool:
    """Whether entries may share a place in memory: whether an axis takes steps within what those of smaller steps reach.

    >>> overlaps(torch.zeros(4).unfold(0, 2, 1)), overlaps(torch.zeros(4).unfold(0, 2, 2)), overlaps(torch.zeros(3, 2).T)
    (True, False, False)
    """
    reach = 0
    for step, size in sorted(zip(x.stride(), x.shape, strict=True)):
        if size > 1 and step <= reach:
            return True
        reach += (size - 1) * step
    return False


OUTSIDE = (
    "It would write derivatives into a plain tensor that was made outside of the function, where they would be lost. Make the "
    "tensor inside, with torch.zeros or x.new_zeros, or use torch.stack, torch.cat or torch.where."
)
INTEGERS = (
    "It would write derivatives into a tensor of whole numbers, which has none: give it the dtype of what is written."
)


def _whole(x: Any) -> bool:
    return isinstance(x, Tensor) and not (x.is_floating_point() or x.is_complex())


def before_writing(jet: Jet, func: Any, x: Any) -> None:
    """Nothing is written into ``x`` where it is not known what else changes, or while others wait to be made of it."""
    if not belongs(x, jet):
        error = unsupported(func, jet, INTEGERS if _whole(x) else OUTSIDE)
        error.into_plain = True
        raise error
    sources.settle()
    written.count += 1
    base = x if x.base is None else x.base
    if (x.frozen or base.frozen) and x.numel():
        raise unsupported(func, jet, "Its tensor shares memory with another view: clone it first.")
    if any(other() is not base for other in base.perhaps_views or ()):
        raise unsupported(
            func, jet, "Another tensor may share its memory: reshape, flatten, ravel and contiguous return a view or a copy, "
            "by the layout in memory, and a jet may lie in another. Take a view by .view or a copy by .clone() before, or "
            "let the argument go: h = h.flatten(1).",
        )  # fmt: skip


def overwrite(jet: Jet, func: Any, x: Any, result: Any) -> Any:
    """Write ``result`` into the memory of ``x``, so that views of it see the change, as in torch."""
    before_writing(jet, func, x)
    refuse_overlap(jet, func, x.components[0])
    if result.shape != x.shape:
        raise unsupported(func, jet, f"It would change the shape {tuple(x.shape)} in place; use its result instead.")
    if belongs(result, jet):
        x.components.copy_(result.components)
    else:
        x.components[0].copy_(result)
        x.components[1:].zero_()
    return x
