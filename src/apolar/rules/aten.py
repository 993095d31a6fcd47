"""ATen operators that are reached below torch's own functions: inside of vmap, grad and jvp, in TorchScript, in composites.

Most of them have the name and the arguments of a torch function and take its rule. Here are the others: those that torch
offers under another name, and the backward passes, which are linear in the gradient that comes in.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from apolar.engine.jet import Jet, value
from apolar.engine.torch_private import aten
from apolar.rules.components import apply_bilinear, apply_linear
from apolar.rules.metadata import as_jet
from apolar.rules.record import Entries, Kind
from apolar.rules.registry import composite, constant, linear, rule, stacked, views

_ALL = slice(None)

# ----------------------------------------------------------------------------------------------- the same by another name

views(aten._conj, entries=Entries.APART)(torch.conj)
stacked(aten._conj_physical, entries=Entries.APART)(torch.conj_physical)
stacked(aten._neg_view, entries=Entries.APART)(torch.neg)
constant(aten._is_all_true, aten._is_any_true)


@composite(aten.alias, aten.lift_fresh, aten.lift_fresh_copy, torch.ops.prims.view_of)
def alias(x: Any) -> Any:
    return x.view(x.shape)


@composite(aten._unsafe_view, aten._reshape_alias, aten._reshape_copy)
def reshape(x: Any, shape: Any, *_: Any) -> Any:
    return torch.reshape(x, shape)


@composite(aten.expand)
def expand(x: Any, shape: Any, implicit: bool = False) -> Any:
    return x.expand(shape)


@composite(aten.slice)
def take_slice(x: Any, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Any:
    return x[(*(_ALL,) * (dim % x.ndim), slice(start, end, step))]


@composite(aten.index, aten._unsafe_index)
def index(x: Any, indices: list[Any]) -> Any:
    return x[tuple(_ALL if i is None else i for i in indices)]


@composite(aten.copy)
def copy(x: Any, source: Any, non_blocking: bool = False) -> Any:
    return source.to(x.dtype).expand(x.shape).clone()


@composite(aten._to_copy)
def to_copy(x: Any, *, dtype: Any = None, device: Any = None, **_: Any) -> Any:
    return x.to(device=device, dtype=dtype, copy=True)


@composite(aten.block_diag)
def block_diag(tensors: list[Any]) -> Any:
    return torch.block_diag(*tensors)


@rule(aten._new_zeros_with_same_feature_meta, kind=Kind.CONSTANT)
def tangent(jet: Jet, func: Any, x: Any, other: Any, **named: Any) -> Any:
    """Zeros that forward mode copies a tangent into."""
    return as_jet(jet, func(value(x, jet), value(other, jet), **named))


@composite(aten.add.Scalar)
def add_number(x: Any, number: Any, alpha: Any = 1) -> Any:
    return torch.add(x, number, alpha=alpha)


@composite(aten.sub.Scalar)
def sub_number(x: Any, number: Any, alpha: Any = 1) -> Any:
    return torch.sub(x, number, alpha=alpha)


@composite(aten.rsub.Scalar)
def rsub_number(x: Any, number: Any, alpha: Any = 1) -> Any:
    return torch.rsub(x, number, alpha=alpha)


@composite(aten._stack)
def stack(tensors: list[Any], dim: int = 0) -> Any:
    return torch.stack(tensors, dim)


@composite(aten._logcumsumexp)
def logcumsumexp(x: Any, dim: int) -> Any:
    return torch.logcumsumexp(x, dim)


@composite(aten._cdist_forward)
def cdist(x: Any, y: Any, p: float, compute_mode: int | None) -> Any:
    return torch.cdist(x, y, p)


@composite(aten._pdist_forward)
def pdist(x: Any, p: float = 2.0) -> Any:
    return torch.nn.functional.pdist(x, p)


@composite(aten._trilinear)
def trilinear(
    x: Any, y: Any, z: Any, expand1: Any, expand2: Any, expand3: Any, sum_over: list[int], unroll_dim: int = 1
) -> Any:
    """x·y·z, each with axes of length 1 inserted, summed over some."""
    product = _unsqueezed(x, expand1) * _unsqueezed(y, expand2) * _unsqueezed(z, expand3)
    return product.sum(sum_over) if sum_over else product


def _unsqueezed(x: Any, axes: list[int]) -> Any:
    for axis in sorted(axes):
        x = x.unsqueeze(axis)
    return x


# ------------------------------------------------------------------------------------ linear algebra with what it saves


@composite(aten._linalg_det)
def det(a: Any) -> Any:
    return torch.linalg.det(a), *torch.linalg.lu_factor(a)


@composite(aten._linalg_slogdet)
def slogdet(a: Any) -> Any:
    return *torch.linalg.slogdet(a), *torch.linalg.lu_factor(a)


@composite(aten._linalg_solve_ex)
def solve(a: Any, b: Any, *, left: bool = True, check_errors: bool = False) -> Any:
    solution, info = torch.linalg.solve_ex(a, b, left=left, check_errors=check_errors)
    return solution, *torch.linalg.lu_factor(a), info


@composite(aten._linalg_eigh)
def eigh(a: Any, UPLO: str = "L", compute_v: bool = True) -> Any:
    return torch.linalg.eigh(a, UPLO) if compute_v else (torch.linalg.eigvalsh(a, UPLO), a.new_empty(0))


@composite(aten._linalg_eigvals)
def eigvals(a: Any) -> Any:
    return torch.linalg.eigvals(a)


@composite(aten._linalg_svd)
def svd(a: Any, full_matrices: bool = False, compute_uv: bool = True, *, driver: str | None = None) -> Any:
    if compute_uv:
        return torch.linalg.svd(a, full_matrices)
    return a.new_empty(0), torch.linalg.svdvals(a), a.new_empty(0)


# -------------------------------------------------------------------------------------------------------- backward passes

linear(
    aten.upsample_nearest1d_backward, aten.upsample_nearest2d_backward, aten.upsample_nearest3d_backward,
    aten._upsample_nearest_exact1d_backward, aten._upsample_nearest_exact2d_backward, aten._upsample_nearest_exact3d_backward,
    aten.upsample_linear1d_backward, aten.upsample_bilinear2d_backward, aten.upsample_trilinear3d_backward,
    aten.upsample_bicubic2d_backward, aten._upsample_bilinear2d_aa_backward, aten._upsample_bicubic2d_aa_backward,
    aten.embedding_dense_backward, aten.masked_scatter_backward, aten.unfold_backward, aten.select_backward,
    aten.slice_backward, aten.diagonal_backward,
)  # fmt: skip


@rule(
    aten._adaptive_avg_pool2d_backward, aten._adaptive_avg_pool3d_backward, aten.avg_pool2d_backward,
    aten.avg_pool3d_backward, aten.adaptive_max_pool2d_backward, aten.adaptive_max_pool3d_backward,
    aten.max_pool2d_with_indices_backward, aten.max_pool3d_with_indices_backward, aten.fractional_max_pool2d_backward,
    aten.fractional_max_pool3d_backward, aten.replication_pad1d_backward, aten.replication_pad2d_backward,
    aten.replication_pad3d_backward, aten.reflection_pad1d_backward, aten.reflection_pad2d_backward,
    aten.reflection_pad3d_backward, aten.hardshrink_backward, aten.softshrink_backward, aten.threshold_backward,
    kind=Kind.LINEAR,
)  # fmt: skip
def linear_in_the_gradient(jet: Jet, func: Any, gradient: Any, x: Any, *args: Any) -> Any:
    """The input of the forward pass tells shapes and branches, by its value."""
    return apply_linear(jet, func, gradient, value(x, jet), *args)


@rule(aten.convolution_backward, kind=Kind.BILINEAR)
def convolution_backward(
    jet: Jet, func: Any, gradient: Any, x: Any, weight: Any, bias_sizes: Any, *args: Any
) -> tuple[Any, Any, Any]:
    """The three results: bilinear in the gradient and the weight, in the gradient and the input, and a sum."""
    *options, (of_input, of_weight, of_bias) = args
    x0, weight0 = value(x, jet), value(weight, jet)

    def one(g: Tensor, x: Tensor, weight: Tensor, which: int) -> Tensor:
        return func(g, x, weight, bias_sizes, *options, [k == which for k in range(3)])[which]

    return (
        apply_bilinear(jet, lambda g, w: one(g, x0, w, 0), gradient, weight) if of_input else None,
        apply_bilinear(jet, lambda g, x: one(g, x, weight0, 1), gradient, x) if of_weight else None,
        gradient.sum([0, *range(2, gradient.ndim)]) if of_bias else None,
    )
