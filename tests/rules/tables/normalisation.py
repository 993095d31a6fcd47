# One case is one line, however long.
# fmt: off
# ruff: noqa: E501
"""Normalisations: layer, group, instance, batch, root mean square, local response."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ..case import Case, case, listed, seeded
from ..points import normal, positive

IMAGE = normal(2, 4, 3, 2)
MEAN, VARIANCE = torch.tensor([0.1, -0.2, 0.3, 0.4]).double(), torch.tensor([1.1, 0.8, 0.5, 2.0]).double()


def batch_norm(x: torch.Tensor, w: torch.Tensor | None = None, b: torch.Tensor | None = None) -> torch.Tensor:
    """In evaluation, with given statistics."""
    return F.batch_norm(x, MEAN, VARIANCE, w, b, training=False)


CASES: tuple[Case, ...] = listed([
    case("layer_norm", lambda x: F.layer_norm(x, (4,)), normal(3, 4)),
    case("layer_norm weight and bias", lambda x, w, b: F.layer_norm(x, (4,), w, b), normal(3, 4), normal(4), normal(4)),
    case("layer_norm weight only", lambda x, w: F.layer_norm(x, (4,), w), normal(3, 4), normal(4)),
    case("layer_norm two axes", lambda x: F.layer_norm(x, (3, 4)), normal(2, 3, 4)),
    case("layer_norm eps", lambda x: F.layer_norm(x, (4,), eps=0.1), normal(3, 4)),
    case("layer_norm one row", lambda x: F.layer_norm(x, (4,)), normal(4)),
    case("nn.LayerNorm", seeded(nn.LayerNorm, 4), normal(2, 3, 4)),
    case("nn.LayerNorm without parameters", seeded(nn.LayerNorm, 4, elementwise_affine=False), normal(3, 4)),
    case("nn.LayerNorm without bias", seeded(nn.LayerNorm, 4, bias=False), normal(3, 4)),
    case("group_norm", lambda x: F.group_norm(x, 2), IMAGE),
    case("group_norm weight and bias", lambda x, w, b: F.group_norm(x, 2, w, b), IMAGE, normal(4), normal(4)),
    case("group_norm no space", lambda x: F.group_norm(x, 2), normal(3, 4)),
    case("nn.GroupNorm", seeded(nn.GroupNorm, 2, 4), normal(2, 4, 3)),
    case("instance_norm", F.instance_norm, IMAGE),
    case("instance_norm weight and bias", lambda x, w, b: F.instance_norm(x, weight=w, bias=b), IMAGE, normal(4), normal(4)),
    case("nn.InstanceNorm1d", seeded(nn.InstanceNorm1d, 4, affine=True), normal(2, 4, 3)),
    case("nn.InstanceNorm2d", seeded(nn.InstanceNorm2d, 4), IMAGE),
    case("nn.InstanceNorm1d without batch", seeded(nn.InstanceNorm1d, 4), normal(4, 3)),
    case("instance_norm with given statistics", lambda x: F.instance_norm(x, MEAN, VARIANCE, use_input_stats=False), IMAGE),
    case("batch_norm in evaluation", batch_norm, IMAGE),
    case("batch_norm in evaluation, weight and bias", batch_norm, normal(3, 4), normal(4), normal(4)),
    case("batch_norm in evaluation, moving statistics", lambda x, m, v: F.batch_norm(x, m, v), normal(3, 4), normal(4), positive(4)),
    case("nn.BatchNorm1d in evaluation", seeded(nn.BatchNorm1d, 4), normal(3, 4)),
    case("nn.BatchNorm1d with a length", seeded(nn.BatchNorm1d, 4), normal(2, 4, 3)),
    case("nn.BatchNorm2d in evaluation", seeded(nn.BatchNorm2d, 4), IMAGE),
    case("nn.BatchNorm3d in evaluation", seeded(nn.BatchNorm3d, 2), normal(2, 2, 2, 2, 2)),
    case("batch_norm in training", lambda x: F.batch_norm(x, None, None, training=True), normal(5, 4)),
    case("batch_norm in training, weight and bias", lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True), IMAGE, normal(4), normal(4)),
    case("nn.BatchNorm1d without running statistics", seeded(nn.BatchNorm1d, 4, track_running_stats=False), normal(5, 4)),
    case("rms_norm", lambda x: F.rms_norm(x, (4,)), normal(3, 4)),
    case("rms_norm weight, eps", lambda x, w: F.rms_norm(x, (4,), w, eps=1e-3), normal(3, 4), normal(4)),
    case("nn.RMSNorm", seeded(nn.RMSNorm, 4), normal(2, 3, 4)),
    case("local_response_norm", lambda x: F.local_response_norm(x, 3, alpha=0.5, beta=0.75, k=1.0), IMAGE),
    case("nn.LocalResponseNorm", nn.LocalResponseNorm(2), normal(2, 4, 3)),
    case("layer_norm by hand", lambda x: (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, unbiased=False) + 1e-5).sqrt(), normal(3, 4)),
    case("weight_norm", seeded(lambda: nn.utils.parametrizations.weight_norm(nn.Linear(3, 4))), normal(2, 3)),
    case("spectral_norm", seeded(lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(3, 4))), normal(2, 3)),
    case("weight_norm of moving weights", lambda v, g: torch._weight_norm(v, g, 0), normal(4, 3), normal(4, 1)),
    case("norm_except_dim", lambda v: torch.norm_except_dim(v, 2, 1), normal(4, 3)),
    case("native_layer_norm", lambda x, w, b: torch.native_layer_norm(x, (4,), w, b, 1e-5), normal(3, 4), normal(4), normal(4)),
    case("native_group_norm", lambda x, w, b: torch.native_group_norm(x, w, b, 2, 4, 6, 2, 1e-5), IMAGE, normal(4), normal(4)),
    case("native_batch_norm", lambda x: torch.native_batch_norm(x, None, None, None, None, True, 0.1, 1e-5), normal(5, 4)),
    case("layer_norm of a jet by torch", lambda x: torch.layer_norm(x, [3, 4], None, None, 1e-3), normal(2, 3, 4)),
    case("local_response_norm even", lambda x: F.local_response_norm(x, 2, alpha=0.5), normal(2, 3, 4)),
    case("F.normalize near zero", lambda x: F.normalize(x, dim=-1, eps=1.0), lambda g: torch.zeros(2, 3).double()),
    case("instance_norm with running statistics", lambda x: F.instance_norm(x, MEAN.clone(), VARIANCE.clone()), IMAGE),
    *(case(f"{norm.__name__} of no samples", lambda x, norm=norm: norm(x, 2) if norm is F.group_norm else norm(x, None, None, training=True), normal(0, 4)) for norm in (F.group_norm, F.batch_norm)),
    case("native_group_norm of no samples", lambda x, w: torch.native_group_norm(x, w, w, 0, 4, 1, 2, 1e-5), normal(0, 4), normal(4)),
    case("_native_batch_norm_legit", lambda x, w: torch._native_batch_norm_legit(x, w, w, MEAN.clone(), VARIANCE.clone(), True, 0.1, 1e-5), normal(5, 4), normal(4)),
    case("_native_batch_norm_legit without statistics", lambda x: torch._native_batch_norm_legit(x, None, None, True, 0.1, 1e-5), normal(5, 4)),
    case("_native_batch_norm_legit_no_training", lambda x: torch._native_batch_norm_legit_no_training(x, None, None, MEAN, VARIANCE, 0.1, 1e-5), normal(5, 4)),
    case("_batch_norm_with_update", lambda x: torch.ops.aten._batch_norm_with_update(x, None, None, MEAN.clone(), VARIANCE.clone(), 0.1, 1e-5)[:3], normal(5, 4)),
    case("_batch_norm_no_update", lambda x: torch.ops.aten._batch_norm_no_update(x, None, None, MEAN, VARIANCE, 0.1, 1e-5)[:3], normal(5, 4)),
    case("batch_norm with running statistics", lambda x: F.batch_norm(x, MEAN.clone(), VARIANCE.clone(), training=True), IMAGE),
])
