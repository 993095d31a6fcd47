"""Losses and distances: an elementwise formula, then its mean or sum."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F

from apolar.engine.jet import Jet, plain
from apolar.engine.torch_private import native
from apolar.rules.decomposition import opened
from apolar.rules.normalisation import length
from apolar.rules.record import Kind
from apolar.rules.reductions import norm_or_zero
from apolar.rules.registry import composite, rule

NONE, MEAN, SUM = range(3)


def reduced(loss: Any, reduction: int) -> Any:
    """All entries, their mean, or their sum."""
    return loss if reduction == NONE else loss.mean() if reduction == MEAN else loss.sum()


def positive(x: Any) -> Any:
    """max(x, 0)."""
    return torch.relu(x)


# ---------------------------------------------------------------------------------------------------------- differences


@composite(native.mse_loss)
def mse_loss(x: Any, y: Any, reduction: int = MEAN) -> Any:
    d = x - y
    return reduced(d * d, reduction)


@composite(native.l1_loss)
def l1_loss(x: Any, y: Any, reduction: int = MEAN) -> Any:
    return reduced(torch.abs(x - y), reduction)


@composite(native.huber_loss)
def huber_loss(x: Any, y: Any, reduction: int = MEAN, delta: float = 1.0) -> Any:
    """d²/2 for |d| < δ, δ (|d| − δ/2) elsewhere."""
    d = x - y
    size = torch.abs(d)
    return reduced(torch.where(size < delta, d * d / 2, delta * (size - delta / 2)), reduction)


@composite(native.smooth_l1_loss)
def smooth_l1_loss(x: Any, y: Any, reduction: int = MEAN, beta: float = 1.0) -> Any:
    """Huber's loss divided by β; |d| for β = 0."""
    return huber_loss(x, y, reduction, beta) / beta if beta else l1_loss(x, y, reduction)


# ---------------------------------------------------------------------------------------------------------- likelihoods


def floored_log(p: Any) -> Any:
    """max(log p, −100), the constant −100 where p is 0."""
    inside = plain(p) > math.exp(-100)
    return torch.where(inside, torch.log(torch.where(inside, p, 1.0)), -100.0)


@composite(native.binary_cross_entropy)
def binary_cross_entropy(p: Any, y: Any, weight: Any = None, reduction: int = MEAN) -> Any:
    """−y log p − (1 − y) log(1 − p)."""
    loss = -(y * floored_log(p) + (1 - y) * floored_log(1 - p))
    return reduced(loss if weight is None else loss * weight, reduction)


@composite(torch.binary_cross_entropy_with_logits)
def binary_cross_entropy_with_logits(
    x: Any, y: Any, weight: Any = None, pos_weight: Any = None, reduction: int = MEAN
) -> Any:
    """−w y log σ(x) − (1 − y) log σ(−x)."""
    positive = y if pos_weight is None else y * pos_weight
    loss = -positive * torch.nn.functional.logsigmoid(x) - (1 - y) * torch.nn.functional.logsigmoid(-x)
    return reduced(loss if weight is None else loss * weight, reduction)


def class_axis(x: Any) -> int:
    """(C), (N, C) or (N, C, …)."""
    return 0 if x.ndim == 1 else 1


@composite(native.nll_loss, native.nll_loss2d, native.nll_loss_nd)
def nll_loss(x: Any, y: Any, weight: Any = None, reduction: int = MEAN, ignore_index: int = -100) -> Any:
    """−w[y] x[y]; the mean is weighted by w[y]."""
    kept = y != ignore_index
    index = torch.where(kept, y, 0)
    weights = kept.to(x.dtype) if weight is None else torch.where(kept, weight[index], 0.0)
    axis = class_axis(x)
    loss = -torch.gather(x, axis, index.unsqueeze(axis)).squeeze(axis)
    # Where an entry is ignored, even one that is not finite, nothing is left of it.
    loss = torch.where(kept, loss, 0.0) * weights
    return loss.sum() / weights.sum() if reduction == MEAN else reduced(loss, reduction)


@composite(native.cross_entropy_loss)
def cross_entropy(
    x: Any, y: Any, weight: Any = None, reduction: int = MEAN, ignore_index: int = -100, label_smoothing: float = 0.0
) -> Any:
    """−Σ w y log softmax x over the classes, with y mixed with the uniform distribution."""
    axis, smooth = class_axis(x), float(label_smoothing)
    log_p, classes = torch.log_softmax(x, axis), x.shape[axis]
    weighted = log_p if weight is None else log_p * weight.reshape(-1, *[1] * (x.ndim - axis - 1))
    if y.is_floating_point():
        loss = -(weighted * (y * (1 - smooth) + smooth / classes)).sum(axis)
        return loss.sum() / (x.numel() / classes) if reduction == MEAN else reduced(loss, reduction)
    loss = nll_loss(log_p, y, weight, reduction, ignore_index)
    if not smooth:
        return loss
    kept = y != ignore_index
    uniform = torch.where(kept, -weighted.sum(axis), 0.0)
    if reduction == MEAN:
        count = kept.sum() if weight is None else torch.where(kept, weight[torch.where(kept, y, 0)], 0.0).sum()
        uniform = uniform.sum() / count
    return (1 - smooth) * loss + smooth / classes * reduced(uniform, SUM if reduction == SUM else NONE)


@composite(torch.kl_div)
def kl_div(x: Any, y: Any, reduction: int = MEAN, *, log_target: bool = False) -> Any:
    """y (log y − x)."""
    loss = torch.exp(y) * (y - x) if log_target else torch.xlogy(y, y) - y * x
    return reduced(loss, reduction)


@composite(torch.poisson_nll_loss)
def poisson_nll_loss(x: Any, y: Any, log_input: bool, full: bool, eps: float, reduction: int) -> Any:
    """eˣ − y x, or x − y log(x + ε); with Stirling's formula for log y! where y > 1."""
    loss = torch.exp(x) - y * x if log_input else x - y * torch.log(x + eps)
    if full:
        large = plain(y) > 1
        n = torch.where(large, y, 1.0)
        loss = loss + torch.where(large, n * torch.log(n) - n + 0.5 * torch.log(2 * math.pi * n), 0.0)
    return reduced(loss, reduction)


@rule(
    *([F.linear_cross_entropy] if hasattr(F, "linear_cross_entropy") else []), kind=Kind.COMPOSITE
)  # not in torch 2.7
def linear_cross_entropy(jet: Jet, func: Any, *args: Any, options: Any = None, **named: Any) -> Any:
    """The options of torch divide the batch, which saves memory and changes no number."""
    return opened(func)(*args, **named)  # type: ignore[misc]


# -------------------------------------------------------------------------------------------------------------- margins


@composite(native.soft_margin_loss)
def soft_margin_loss(x: Any, y: Any, reduction: int = MEAN) -> Any:
    """log(1 + e⁻ʸˣ)."""
    return reduced(-torch.nn.functional.logsigmoid(y * x), reduction)


@composite(torch.hinge_embedding_loss)
def hinge_embedding_loss(x: Any, y: Any, margin: float = 1.0, reduction: int = MEAN) -> Any:
    """x for y = 1, max(0, margin − x) for y = −1."""
    return reduced(torch.where(y != 1, torch.clamp(margin - x, min=0), 0.0) + torch.where(y != -1, x, 0.0), reduction)


@composite(torch.margin_ranking_loss)
def margin_ranking_loss(x1: Any, x2: Any, y: Any, margin: float = 0.0, reduction: int = MEAN) -> Any:
    return reduced(torch.clamp(-y * (x1 - x2) + margin, min=0), reduction)


@composite(native.multi_margin_loss)
def multi_margin_loss(
    x: Any, y: Any, p: int = 1, margin: float = 1.0, weight: Any = None, reduction: int = MEAN
) -> Any:
    """Σᵢ max(0, margin − x[y] + x[i])ᵖ / C over the classes i ≠ y."""
    x, at_y = torch.atleast_2d(x), y.reshape(-1, 1)
    z = positive(margin - torch.gather(x, -1, at_y) + x) ** p
    z = z * (torch.arange(x.shape[-1], device=x.device) != at_y)
    z = z if weight is None else z * weight[at_y]
    return reduced(z.mean(-1).reshape(y.shape), reduction)


@composite(native.multilabel_margin_loss)
def multilabel_margin_loss(x: Any, y: Any, reduction: int = MEAN) -> Any:
    """Σ max(0, 1 − x[j] + x[i]) / C over the labels j, which end at the first −1, and the other classes i."""
    x, y = torch.atleast_1d(x), torch.atleast_1d(y)
    listed = (y >= 0).to(y.dtype).cumprod(-1) == 1
    index = torch.where(listed, y, 0)
    classes = torch.arange(x.shape[-1], device=x.device)
    label = ((index.unsqueeze(-1) == classes) & listed.unsqueeze(-1)).any(-2, keepdim=True)
    z = positive(1 - torch.gather(x, -1, index).unsqueeze(-1) + x.unsqueeze(-2))
    z = z * (listed.unsqueeze(-1) & ~label)
    return reduced(z.sum((-2, -1)) / x.shape[-1], reduction)


@composite(torch.cosine_embedding_loss)
def cosine_embedding_loss(x1: Any, x2: Any, y: Any, margin: float = 0.0, reduction: int = MEAN) -> Any:
    """1 − cos for y = 1, max(0, cos − margin) for y = −1."""
    sizes = [(x * x).sum(-1) + 1e-12 for x in (x1, x2)]
    cos = (x1 * x2).sum(-1) / torch.sqrt(sizes[0] * sizes[1])
    return reduced(
        torch.where(y == 1, 1 - cos, 0.0) + torch.where(y == -1, torch.clamp(cos - margin, min=0), 0.0), reduction
    )


@composite(torch.triplet_margin_loss)
def triplet_margin_loss(
    anchor: Any, near: Any, far: Any, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False,
    reduction: int = MEAN,
) -> Any:  # fmt: skip
    """max(0, margin + d(anchor, near) − d(anchor, far))."""
    apart = torch.pairwise_distance(anchor, far, p, eps)
    if swap:
        apart = torch.minimum(apart, torch.pairwise_distance(near, far, p, eps))
    return reduced(torch.clamp(margin + torch.pairwise_distance(anchor, near, p, eps) - apart, min=0), reduction)


# ------------------------------------------------------------------------------------------------------------ distances


@composite(torch.cosine_similarity)
def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    """x₁·x₂ / (max(‖x₁‖, ε) max(‖x₂‖, ε))."""
    x1, x2 = torch.broadcast_tensors(x1, x2)
    return (x1 / length(x1, dim, eps) * (x2 / length(x2, dim, eps))).sum(dim)


@composite(torch.pairwise_distance)
def pairwise_distance(x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Any:
    return torch.linalg.vector_norm(x1 - x2 + eps, p, -1, keepdim)


@composite(torch.cdist)
def cdist(x1: Any, x2: Any, p: float = 2.0, compute_mode: Any = None) -> Any:
    return norm_or_zero(x1.unsqueeze(-2) - x2.unsqueeze(-3), p, -1)


@composite(torch.pdist)
def pdist(x: Any, p: float = 2.0) -> Any:
    i, j = torch.triu_indices(x.shape[0], x.shape[0], 1, device=x.device)
    return norm_or_zero(x[i] - x[j], p, -1)


@composite("dist")
def dist(x: Any, y: Any, p: float = 2.0) -> Any:
    return norm_or_zero((x - y).reshape(-1), p, -1)


@composite(F.gaussian_nll_loss)
def gaussian_nll_loss(
    x: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Any:
    """½ (log v + (x − y)²/v), and ½ log 2π in full, with v kept above eps."""
    v = torch.clamp(torch.as_tensor(var, dtype=x.dtype, device=x.device) if isinstance(var, float) else var, min=eps)
    v = v.unsqueeze(-1) if v.ndim == x.ndim - 1 and x.shape[:-1] == v.shape else v
    loss = 0.5 * (torch.log(v) + (x - target) ** 2 / v) + (0.5 * math.log(2 * math.pi) if full else 0.0)
    return {"mean": loss.mean, "sum": loss.sum, "none": lambda: loss}[reduction]()
