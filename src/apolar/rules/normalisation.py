"""Normalisations: (x − mean)/√(variance + ε) · weight + bias over different axes, and lengths kept above ε."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from apolar.engine.jet import Jet, plain, unsupported
from apolar.engine.torch_private import aten
from apolar.rules.record import Kind
from apolar.rules.reductions import p_norm
from apolar.rules.registry import composite, rule


def standardised(x: Any, dims: Any, eps: float) -> tuple[Any, Any, Any]:
    """(x − mean) / √(variance + ε) over the axes, the mean, and 1/√(variance + ε)."""
    mean = x.mean(dims, keepdim=True)
    centred = x - mean
    scale = torch.rsqrt((centred * centred).mean(dims, keepdim=True) + eps)
    return centred * scale, mean, scale


def affine(x: Any, weight: Any, bias: Any) -> Any:
    """x · weight + bias, where they are given."""
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def last(shape: Any) -> list[int]:
    """The last axes, as many as the shape has."""
    return list(range(-len(shape), 0)) if isinstance(shape, (tuple, list)) else [-1]


def channels(p: Any, x: Any) -> Any:
    """One number for each entry of axis 1, ready to meet ``x``."""
    return None if p is None else p.reshape(-1, *[1] * (x.ndim - 2))


# ----------------------------------------------------------------------------------------------- by sample and by group


@composite(F.layer_norm, torch.layer_norm)
def layer_norm(x: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5, *_: Any) -> Any:
    """(x − mean x) / √(var x + ε) · weight + bias, over the last axes."""
    return affine(standardised(x, last(normalized_shape), eps)[0], weight, bias)


@composite(torch.native_layer_norm)
def native_layer_norm(x: Any, shape: Any, weight: Any, bias: Any, eps: float) -> Any:
    y, mean, scale = standardised(x, last(shape), eps)
    return affine(y, weight, bias), mean, scale


@composite(F.rms_norm, torch.rms_norm)
def rms_norm(x: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Any:
    """x / √(mean x² + ε) · weight, over the last axes."""
    square = (x * x).mean(last(normalized_shape), keepdim=True)
    return affine(x * torch.rsqrt(square + (torch.finfo(x.dtype).eps if eps is None else eps)), weight, None)


def grouped(x: Any, groups: int, weight: Any, bias: Any, eps: float) -> tuple[Any, Any, Any]:
    y, mean, scale = standardised(x.reshape(x.shape[0], groups, math.prod(x.shape[1:]) // groups), -1, eps)
    y = affine(y.reshape(x.shape), channels(weight, x), channels(bias, x))
    return y, mean.squeeze(-1), scale.squeeze(-1)


@composite(F.group_norm, torch.group_norm)
def group_norm(x: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5, *_: Any) -> Any:
    """Each sample by itself, over groups of channels and all that follows them."""
    return grouped(x, num_groups, weight, bias, eps)[0]


@composite(torch.native_group_norm)
def native_group_norm(x: Any, weight: Any, bias: Any, N: int, C: int, HxW: int, group: int, eps: float) -> Any:
    return grouped(x, group, weight, bias, eps)


# ------------------------------------------------------------------------------------------------- by channel and batch


def normalised(x: Any, dims: list[int], mean: Any, var: Any, given: bool, eps: float) -> Any:
    """By given statistics, or by those of the axes."""
    if given:
        return (x - channels(mean, x)) * torch.rsqrt(channels(var, x) + eps)
    return standardised(x, dims, eps)[0]


def remember(jet: Jet, func: Any, x: Tensor, dims: list[int], mean: Any, var: Any, momentum: float) -> None:
    """Running statistics move towards those of the values, in place, as in torch."""
    if isinstance(mean, Jet) or isinstance(var, Jet):
        raise unsupported(func, jet, "Running statistics that depend on the coordinates need training=False.")
    with torch.no_grad():
        x = plain(x).detach()
        if mean is not None:
            mean.mul_(1 - momentum).add_(_each_channel(x.mean(dims), mean), alpha=momentum)
        if var is not None:
            var.mul_(1 - momentum).add_(_each_channel(x.var(dims, unbiased=True), var), alpha=momentum)


def _each_channel(x: Tensor, like: Tensor) -> Tensor:
    """The mean over samples of statistics that were taken by sample."""
    return x.reshape(-1, like.shape[0]).mean(0).to(like.dtype)


@rule(torch.batch_norm, kind=Kind.COMPOSITE)
def batch_norm(
    jet: Jet, func: Any, x: Any, weight: Any, bias: Any, mean: Any, var: Any, training: bool, momentum: float,
    eps: float, *_: Any,
) -> Any:  # fmt: skip
    """By the statistics of each channel over the batch, or by the running ones."""
    dims = [d for d in range(x.ndim) if d != 1]
    y = normalised(x, dims, mean, var, not training, eps)
    if training and x.numel():
        remember(jet, func, x, dims, mean, var, momentum)
    return affine(y, channels(weight, x), channels(bias, x))


@composite(torch.native_batch_norm)
def native_batch_norm(
    x: Any, weight: Any, bias: Any, mean: Any, var: Any, training: bool, momentum: float, eps: float
) -> Any:
    y = torch.batch_norm(x, weight, bias, mean, var, training, momentum, eps, False)
    if not training:
        return y, x.new_zeros(0), x.new_zeros(0)
    _, mean, scale = standardised(x, [d for d in range(x.ndim) if d != 1], eps)
    return y, mean.flatten(), scale.flatten()


@composite("_native_batch_norm_legit")
def native_batch_norm_legit(x: Any, weight: Any, bias: Any, *options: Any) -> Any:
    """Running statistics may be left out."""
    *statistics, training, momentum, eps = options
    mean, var = statistics or (None, None)
    return native_batch_norm(x, weight, bias, mean, var, training, momentum, eps)


@composite("_native_batch_norm_legit_no_training")
def native_batch_norm_legit_no_training(
    x: Any, weight: Any, bias: Any, mean: Any, var: Any, momentum: float, eps: float
) -> Any:
    return native_batch_norm(x, weight, bias, mean, var, False, momentum, eps)


@composite(aten._batch_norm_with_update)
def batch_norm_with_update(x: Any, weight: Any, bias: Any, mean: Any, var: Any, momentum: float, eps: float) -> Any:
    """The last result is memory for the backward pass on other devices."""
    y = native_batch_norm(x, weight, bias, mean, var, True, momentum, eps)
    return *y, torch.empty(0, dtype=torch.uint8, device=x.device)


@composite(aten._batch_norm_no_update)
def batch_norm_no_update(x: Any, weight: Any, bias: Any, mean: Any, var: Any, momentum: float, eps: float) -> Any:
    y = native_batch_norm(x, weight, bias, mean, var, False, momentum, eps)
    return *y, torch.empty(0, dtype=torch.uint8, device=x.device)


@rule(torch.instance_norm, kind=Kind.COMPOSITE)
def instance_norm(
    jet: Jet, func: Any, x: Any, weight: Any, bias: Any, mean: Any, var: Any, use_input_stats: bool, momentum: float,
    eps: float, *_: Any,
) -> Any:  # fmt: skip
    """By the statistics of each sample and channel, or by the running ones."""
    dims = list(range(2, x.ndim))
    y = normalised(x, dims, mean, var, not use_input_stats, eps)
    if use_input_stats:
        remember(jet, func, x, dims, mean, var, momentum)
    return affine(y, channels(weight, x), channels(bias, x))


# -------------------------------------------------------------------------------------------------------------- lengths


def length(x: Any, dims: Any, eps: float) -> Any:
    """max(‖x‖₂, ε), which is the constant ε near x = 0, where ‖x‖ has a kink."""
    size = (x * x if not x.is_complex() else torch.abs(x) ** 2).sum(dims, keepdim=True)
    long = plain(size) > eps * eps
    return torch.where(long, torch.sqrt(torch.where(long, size, 1.0)), eps)


@composite(F.normalize)
def normalize(x: Any, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: Any = None) -> Any:
    """x / max(‖x‖, ε)."""
    return x / (length(x, dim, eps) if p == 2 else p_norm(x, p, dim, True).clamp_min(eps))


@composite(F.local_response_norm)
def local_response_norm(x: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Any:
    """x / (k + α · mean of x² over ``size`` neighbouring channels)^β."""
    before, after = size // 2, (size - 1) // 2
    square = (x * x).movedim(1, -1)
    windows = F.pad(square, (before, after)).unfold(-1, size, 1).mean(-1)
    return x * (windows.movedim(-1, 1) * alpha + k) ** -beta


def others(v: Any, dim: int) -> list[int]:
    """All axes but one, or all for −1."""
    return [d for d in range(v.ndim) if d != dim]


@composite(torch.norm_except_dim)
def norm_except_dim(v: Any, pow: int = 2, dim: int = 0) -> Any:
    return torch.linalg.vector_norm(v, pow, others(v, dim), dim >= 0)


@composite("_weight_norm")
def weight_norm(v: Any, g: Any, dim: int = 0) -> Any:
    """g v / ‖v‖."""
    return v * (g / torch.norm_except_dim(v, 2, dim))
