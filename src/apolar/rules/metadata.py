"""What a jet answers about itself, and what would take a value out of the computation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from apolar.engine.jet import Jet, belongs, beneath, constant_components, unsupported, user_line
from apolar.engine.torch_private import Transform, aten, local_scalar, transforms, without_overrides
from apolar.errors import DetachedError
from apolar.rules.registry import constant, rule

ATTRIBUTES = (
    "shape", "ndim", "dtype", "device", "layout", "is_cuda", "is_cpu", "is_mps", "is_meta", "is_sparse", "is_quantized",
    "is_nested", "is_mkldnn", "is_sparse_csr", "is_xpu", "itemsize", "nbytes", "names", "is_vulkan", "is_xla", "is_mtia",
    "is_ipu", "is_maia",
)  # fmt: skip
METHODS = (
    "size", "dim", "numel", "nelement", "ndimension", "is_floating_point", "is_complex", "is_signed", "element_size",
    "get_device", "dim_order", "is_inference", "is_conj", "is_neg", "is_shared", "is_pinned", "has_names", "__len__",
    "is_tensor", "type", "_is_zerotensor", "is_distributed",
)  # fmt: skip


def metadata(jet: Jet, func: Any, *args: Any, **kwargs: Any) -> Any:
    """The wrapper's own answer."""
    with without_overrides():
        return func(*args, **kwargs)


def _getter(name: str) -> Any:
    return getattr(Tensor, name).__get__


rule(*(_getter(name) for name in ATTRIBUTES if hasattr(Tensor, name)), kind="metadata")(metadata)
rule(*METHODS, kind="metadata")(metadata)
constant(Tensor.stride, Tensor.is_contiguous, Tensor.storage_offset, torch.result_type)


@rule("is_same_size", aten._has_same_storage_numel, kind="metadata")
def is_same_size(jet: Jet, func: Any, x: Any, y: Any) -> bool:
    return bool(x.shape == y.shape)


@rule(_getter("requires_grad"), kind="metadata")
def requires_grad(jet: Jet, func: Any, x: Jet) -> bool:
    return x.components.requires_grad


@rule(_getter("is_leaf"), kind="metadata")
def is_leaf(jet: Jet, func: Any, x: Jet) -> bool:
    return False


@rule(_getter("grad"), kind="metadata")
def no_gradient(jet: Jet, func: Any, x: Jet) -> None:
    return None


@rule(_getter("grad_fn"), kind="metadata")
def no_graph(jet: Jet, func: Any, x: Jet) -> None:
    """The graph is that of the components."""
    if x.components.requires_grad:
        raise unsupported(func, jet, "A jet is no node of autograd's graph: hooks on it would not run. Take them off.")


@rule(
    "detach", "detach_", "detach_copy", "item", "tolist", "numpy", "__float__", "__complex__", "__array__", "__array_wrap__",
    _getter("data"), Tensor.__dlpack__, local_scalar, kind="refused",
)  # fmt: skip
def detached(jet: Jet, func: Any, *args: Any, **kwargs: Any) -> Any:
    """Values without their derivative would make the result silently wrong."""
    name = getattr(func, "__name__", str(func)).replace("__get__", ".data")
    raise DetachedError(
        f"{name} takes a value that depends on the coordinates out of the computation, and its derivative would be lost"
        f"{user_line()}. Use torch functions on the tensor itself (torch.sin instead of math.sin); if the value is "
        "meant as a constant, compute it outside of the function."
    )


@rule(
    "data_ptr", "const_data_ptr", "storage", "untyped_storage", "_typed_storage", "share_memory_", "storage_type", "apply_",
    "map_", "map2_", "set_", "resize_", "resize_as_", kind="refused",
)  # fmt: skip
def memory(jet: Jet, func: Any, *args: Any, **kwargs: Any) -> Any:
    """A jet has no memory of its own."""
    raise unsupported(func, jet, "It looks at memory, which a jet lays out in its own way: use views such as x[...].")


@rule(
    torch.autograd.grad, torch.autograd.backward, Tensor.backward, Tensor.requires_grad_, Tensor.retain_grad,
    Tensor.register_hook, kind="refused",
)  # fmt: skip
def autograd_inside(jet: Jet, func: Any, *args: Any, **kwargs: Any) -> Any:
    """Reverse mode inside of a lifted function has no graph to walk."""
    raise unsupported(
        func,
        jet,
        "Inside of a lifted function use ap.grad, ap.jacobian or ap.evaluate, or ask for the operators directly.",
    )


@rule("_make_dual", kind="refused")
def make_dual(jet: Jet, func: Any, *args: Any, **kwargs: Any) -> Any:
    """In forward mode a tangent lies in the wrapper, where no jet would see it; torch.func.jvp has a wrapper of its own."""
    if transforms()[-1:] != [Transform.Jvp]:
        return autograd_inside(jet, func, *args, **kwargs)
    return beneath(func, *args, **kwargs)


@rule("zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like", "randint_like", kind="constant")
def like(jet: Jet, func: Any, x: Jet, *args: Any, **kwargs: Any) -> Any:
    """A constant that is a jet, so that it can be filled in place."""
    return as_jet(jet, func(x.value, *args, **kwargs))


@rule("new_zeros", "new_ones", "new_full", "new_empty", kind="constant")
def new(jet: Jet, func: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    return as_jet(jet, func(x.value, *args, **kwargs)) if belongs(x, jet) else func(x, *args, **kwargs)


constant(Tensor.new_tensor)


def as_jet(jet: Jet, value: Tensor) -> Any:
    """A constant of jet's evaluation; integers stay plain tensors, and what is made while gradients are off."""
    if not (value.is_floating_point() or value.is_complex()) or (jet.context.recorded and not torch.is_grad_enabled()):
        return value
    return jet.like(constant_components(value, jet))
