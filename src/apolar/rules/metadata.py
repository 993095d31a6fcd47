"""What a jet answers about itself, and what would take a value out of the computation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from apolar.engine.context import recording, stopped
from apolar.engine.jet import Jet, belongs, beneath, constant_components, moves, plain, unsupported
from apolar.engine.torch_private import Transform, aten, local_scalar, transforms, without_overrides
from apolar.rules.lifting import leave
from apolar.rules.record import Kind
from apolar.rules.registry import constant, leaving, refused, rule

ATTRIBUTES = (
    "shape", "ndim", "dtype", "device", "layout", "is_cuda", "is_cpu", "is_mps", "is_meta", "is_sparse", "is_quantized",
    "is_nested", "is_mkldnn", "is_sparse_csr", "is_xpu", "itemsize", "nbytes", "names", "is_vulkan", "is_xla", "is_mtia",
    "is_ipu", "is_maia",
)  # fmt: skip
METHODS = (
    "size", "dim", "numel", "nelement", "ndimension", "is_floating_point", "is_complex", "is_signed", "element_size",
    "get_device", "dim_order", "is_inference", "is_conj", "is_neg", "is_shared", "is_pinned", "has_names", "__len__",
    "is_tensor", "_is_zerotensor", "is_distributed",
)  # fmt: skip


def metadata(jet: Jet, func: Any, *args: Any, **kwargs: Any) -> Any:
    """The wrapper's own answer."""
    with without_overrides():
        return func(*args, **kwargs)


def _getter(name: str) -> Any:
    return getattr(Tensor, name).__get__


rule(*(_getter(name) for name in ATTRIBUTES if hasattr(Tensor, name)), kind=Kind.METADATA)(metadata)
rule(*METHODS, kind=Kind.METADATA)(metadata)
constant(Tensor.stride, Tensor.is_contiguous, Tensor.storage_offset, torch.result_type)


@rule("is_same_size", aten._has_same_storage_numel, kind=Kind.METADATA)
def is_same_size(jet: Jet, func: Any, x: Any, y: Any) -> bool:
    return bool(x.shape == y.shape)


@rule(_getter("requires_grad"), kind=Kind.METADATA)
def requires_grad(jet: Jet, func: Any, x: Jet) -> bool:
    return x.components.requires_grad


@rule(_getter("is_leaf"), kind=Kind.METADATA)
def is_leaf(jet: Jet, func: Any, x: Jet) -> bool:
    return False


@rule(_getter("grad"), kind=Kind.METADATA)
def no_gradient(jet: Jet, func: Any, x: Jet) -> None:
    return None


@rule(_getter("grad_fn"), kind=Kind.METADATA)
def no_graph(jet: Jet, func: Any, x: Jet) -> None:
    """The graph is that of the components."""
    if x.components.requires_grad:
        raise unsupported(func, jet, "A jet is no node of autograd's graph: hooks on it would not run. Take them off.")


leaving(
    "detach_copy", "item", "tolist", "numpy", "__float__", "__complex__", "__array__", "__array_wrap__", Tensor.__dlpack__,
    local_scalar,
)  # fmt: skip


def detached(jet: Jet, func: Any, x: Jet) -> Any:
    """A constant remains a jet, which sees what is written into it later."""
    if stopped.get() or recording() or moves(x):
        return leave(jet, func, x)
    return x if func is Tensor.detach_ else x.sharing(x.components.detach())


leaving("detach", "detach_", _getter("data"), on_jets=detached)

refused(
    "data_ptr", "const_data_ptr", "storage", "untyped_storage", "_typed_storage", "share_memory_", "storage_type", "apply_",
    "map_", "map2_", Tensor.data.__set__,  # type: ignore[attr-defined]
    reason="It looks at memory, which a jet lays out in its own way: use views such as x[...].",
)  # fmt: skip

NO_GRAPH = "Inside of a lifted function use ap.grad, ap.jacobian or ap.evaluate, or ask for the operators directly."
"""Reverse mode inside of a lifted function has no graph to walk."""

refused(torch.autograd.grad, torch.autograd.backward, Tensor.backward, reason=NO_GRAPH)
refused(
    Tensor.register_hook,
    Tensor.register_post_accumulate_grad_hook,
    reason="Inside of a lifted function no gradient arrives at a tensor, so that a hook on it would not run. Leave it out.",
)


@rule(Tensor.requires_grad_, Tensor.requires_grad.__set__, kind=Kind.METADATA)  # type: ignore[attr-defined]
def already_followed(jet: Jet, func: Any, x: Jet, requires_grad: bool = True) -> Jet:
    """Whether it asks for gradients or not, a jet has its derivatives."""
    if not requires_grad and moves(x):
        raise unsupported(
            func, jet, "It would make a constant of a tensor that depends on the coordinates: ap.constant(x)."
        )
    return x


@rule(Tensor.retain_grad, kind=Kind.METADATA)
def nothing_to_retain(jet: Jet, func: Any, x: Jet) -> None:
    """No gradient will arrive."""


@rule("_make_dual", kind=Kind.REFUSED)
def make_dual(jet: Jet, func: Any, *args: Any, **kwargs: Any) -> Any:
    """In forward mode a tangent lies in the wrapper, where no jet would see it; torch.func.jvp has a wrapper of its own."""
    if transforms()[-1:] != [Transform.Jvp]:
        raise unsupported(func, jet, NO_GRAPH)
    return beneath(func, *args, **kwargs)


@rule(
    "zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like", "randint_like", kind=Kind.CONSTANT
)
def like(jet: Jet, func: Any, x: Jet, *args: Any, **kwargs: Any) -> Any:
    """A constant that is a jet, so that it can be filled in place."""
    return as_jet(jet, func(x.value, *args, **kwargs))


@rule("new_zeros", "new_ones", "new_full", "new_empty", kind=Kind.CONSTANT)
def new(jet: Jet, func: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    return as_jet(jet, func(x.value, *args, **kwargs)) if belongs(x, jet) else func(x, *args, **kwargs)


@rule(Tensor.new_tensor)
def new_tensor(jet: Jet, func: Any, x: Any, data: Any, **named: Any) -> Any:
    """Of numbers; a tensor among them would leave."""
    return leave(jet, func, plain(x), data, **named)


@rule("__format__", kind=Kind.REFUSED)
def formatted(jet: Jet, func: Any, x: Any, specification: str) -> Any:
    """Of a number, text from which it can be read again; of a tensor with axes, its representation."""
    return func(plain(x), specification) if x.ndim else leave(jet, func, x, specification)


def as_jet(jet: Jet, value: Tensor) -> Any:
    """A constant of jet's evaluation; integers stay plain tensors, and what is made while gradients are off."""
    if not (value.is_floating_point() or value.is_complex()) or (jet.context.recorded and not torch.is_grad_enabled()):
        return value
    return jet.like(constant_components(value, jet))
