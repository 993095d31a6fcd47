# One case is one line, however long.
# fmt: off
# ruff: noqa: E501
"""Convolutions, pooling, padding, interpolation, unfolding."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ..case import Case, case, listed, seeded
from ..points import normal, positive, separated

LINE, IMAGE, VOLUME = normal(2, 2, 7), normal(1, 2, 5, 4), normal(1, 2, 4, 3, 3)
TIES = separated(1, 2, 6)
PICTURE = separated(1, 2, 4, 4)

CONVOLUTIONS = [
    case("conv1d", F.conv1d, LINE, normal(3, 2, 3), normal(3)),
    case("conv1d without bias", F.conv1d, LINE, normal(3, 2, 3)),
    case("conv1d stride, padding, dilation", lambda x, w: F.conv1d(x, w, stride=2, padding=2, dilation=2), LINE, normal(3, 2, 3)),
    case("conv1d groups", lambda x, w, b: F.conv1d(x, w, b, groups=2), LINE, normal(4, 1, 3), normal(4)),
    case("conv1d same", lambda x, w: F.conv1d(x, w, padding="same"), LINE, normal(3, 2, 3)),
    case("conv1d valid", lambda x, w: F.conv1d(x, w, padding="valid"), LINE, normal(3, 2, 3)),
    case("conv1d without batch", F.conv1d, normal(2, 7), normal(3, 2, 3), normal(3)),
    case("conv2d", F.conv2d, IMAGE, normal(3, 2, 2, 3), normal(3)),
    case("conv2d stride, padding, dilation", lambda x, w, b: F.conv2d(x, w, b, (2, 1), (1, 2), (2, 1)), IMAGE, normal(3, 2, 2, 3), normal(3)),
    case("conv2d groups", lambda x, w: F.conv2d(x, w, groups=2, padding=1), IMAGE, normal(2, 1, 3, 3)),
    case("conv2d same", lambda x, w: F.conv2d(x, w, padding="same", dilation=2), IMAGE, normal(3, 2, 3, 2)),
    case("conv2d plain weight", lambda x: F.conv2d(x, torch.ones(1, 2, 2, 2).double()) ** 2, IMAGE),
    case("conv2d plain image", lambda w: F.conv2d(torch.ones(1, 2, 4, 4).double(), w) ** 2, normal(3, 2, 2, 2)),
    case("conv3d", F.conv3d, VOLUME, normal(2, 2, 2, 2, 2), normal(2)),
    case("conv3d stride, padding", lambda x, w: F.conv3d(x, w, stride=2, padding=1), VOLUME, normal(2, 2, 2, 2, 2)),
    case("torch.conv1d", torch.conv1d, LINE, normal(3, 2, 3)),
    case("conv_transpose1d", F.conv_transpose1d, LINE, normal(2, 3, 3), normal(3)),
    case("conv_transpose1d stride", lambda x, w: F.conv_transpose1d(x, w, stride=2, padding=1, output_padding=1), LINE, normal(2, 3, 3)),
    case("conv_transpose2d", lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2), IMAGE, normal(2, 3, 2, 3), normal(3)),
    case("conv_transpose2d groups, dilation", lambda x, w: F.conv_transpose2d(x, w, groups=2, dilation=2), IMAGE, normal(2, 1, 2, 2)),
    case("conv_transpose3d", F.conv_transpose3d, VOLUME, normal(2, 2, 2, 2, 2)),
    case("nn.Conv1d", seeded(nn.Conv1d, 2, 3, 3), LINE),
    case("nn.Conv1d circular", seeded(nn.Conv1d, 2, 3, 3, padding=1, padding_mode="circular"), LINE),
    case("nn.Conv2d", seeded(nn.Conv2d, 2, 3, 3, padding=1), IMAGE),
    case("nn.Conv2d reflect", seeded(nn.Conv2d, 2, 3, 3, padding=1, padding_mode="reflect"), IMAGE),
    case("nn.Conv2d replicate", seeded(nn.Conv2d, 2, 3, 3, padding=1, padding_mode="replicate"), IMAGE),
    case("nn.Conv3d", seeded(nn.Conv3d, 2, 2, 2), VOLUME),
    case("nn.ConvTranspose2d", seeded(nn.ConvTranspose2d, 2, 3, 2, stride=2), IMAGE),
    case("F.unfold", lambda x: F.unfold(x * x, (2, 3), padding=1), IMAGE),
    case("F.unfold stride, dilation", lambda x: F.unfold(x * x, 2, dilation=2, stride=2), IMAGE),
    case("F.fold", lambda x: F.fold(x * x, (4, 4), 2), normal(1, 8, 9)),
    case("F.fold stride", lambda x: F.fold(x * x, (4, 4), 2, stride=2), normal(1, 8, 4)),
    case("conv_tbc", torch.conv_tbc, normal(5, 2, 2), normal(3, 2, 3), normal(3), refused="rarely used"),
]

PADDING = [
    *(case(f"pad {mode} 1-d", lambda x, mode=mode: F.pad(x * x, (2, 1), mode=mode), LINE) for mode in ("constant", "reflect", "replicate", "circular")),
    *(case(f"pad {mode} 2-d", lambda x, mode=mode: F.pad(x * x, (1, 2, 2, 1), mode=mode), IMAGE) for mode in ("constant", "reflect", "replicate", "circular")),
    *(case(f"pad {mode} 3-d", lambda x, mode=mode: F.pad(x * x, (1, 1, 1, 0, 0, 1), mode=mode), VOLUME) for mode in ("constant", "reflect", "replicate", "circular")),
    case("pad with a number", lambda x: F.pad(x * x, (1, 1), value=3.0) ** 2, LINE),
    case("pad negative", lambda x: F.pad(x * x, (-1, 2)), LINE),
    case("pad without batch", lambda x: F.pad(x * x, (1, 1), mode="reflect"), normal(2, 5)),
    case("nn.ZeroPad2d", nn.ZeroPad2d(1), IMAGE),
    case("nn.ConstantPad1d", nn.ConstantPad1d((1, 2), 3.5), LINE),
    case("nn.ReflectionPad2d", nn.ReflectionPad2d(1), IMAGE),
    case("nn.ReplicationPad1d", nn.ReplicationPad1d(2), LINE),
    case("nn.CircularPad2d", nn.CircularPad2d((1, 1, 0, 1)), IMAGE),
]

POOLING = [
    case("max_pool1d", lambda x: F.max_pool1d(x, 2) ** 2, TIES),
    case("max_pool1d stride, padding", lambda x: F.max_pool1d(x, 3, stride=2, padding=1) ** 2, TIES),
    case("max_pool1d indices", lambda x: F.max_pool1d(x, 2, return_indices=True)[0] ** 2, TIES),
    case("max_pool2d", lambda x: F.max_pool2d(x, 2) ** 2, PICTURE),
    case("max_pool2d dilation, ceil", lambda x: F.max_pool2d(x, 2, stride=2, dilation=2, ceil_mode=True) ** 2, PICTURE),
    case("max_pool2d without batch", lambda x: F.max_pool2d(x[0], (2, 1), stride=1) ** 2, PICTURE),
    case("max_pool3d", lambda x: F.max_pool3d(x, 2) ** 2, separated(1, 1, 2, 4, 2)),
    case("nn.MaxPool2d", lambda x: nn.MaxPool2d(2)(x) ** 2, PICTURE),
    case("avg_pool1d", lambda x: F.avg_pool1d(x * x, 3, stride=2, padding=1), LINE),
    case("avg_pool1d without padding", lambda x: F.avg_pool1d(x * x, 3, 1, 1, count_include_pad=False), LINE),
    case("avg_pool2d", lambda x: F.avg_pool2d(x * x, 2), IMAGE),
    case("avg_pool2d divisor", lambda x: F.avg_pool2d(x * x, (2, 1), divisor_override=3, ceil_mode=True), IMAGE),
    case("avg_pool3d", lambda x: F.avg_pool3d(x * x, 2), VOLUME),
    case("nn.AvgPool2d", nn.AvgPool2d(2, stride=1), IMAGE),
    case("lp_pool1d", lambda x: F.lp_pool1d(x, 2, 2), positive(2, 2, 6)),
    case("lp_pool1d p = 3", lambda x: F.lp_pool1d(x, 3.0, 2, stride=1), positive(2, 2, 6)),
    case("lp_pool2d", lambda x: F.lp_pool2d(x, 2, 2), positive(1, 2, 4, 4)),
    case("adaptive_avg_pool1d", lambda x: F.adaptive_avg_pool1d(x * x, 3), LINE),
    case("adaptive_avg_pool2d", lambda x: F.adaptive_avg_pool2d(x * x, (2, 3)), IMAGE),
    case("adaptive_avg_pool2d to one", lambda x: F.adaptive_avg_pool2d(x * x, 1), IMAGE),
    case("adaptive_avg_pool2d None", lambda x: F.adaptive_avg_pool2d(x * x, (None, 2)), IMAGE),
    case("adaptive_avg_pool3d", lambda x: F.adaptive_avg_pool3d(x * x, 2), VOLUME),
    case("adaptive_max_pool1d", lambda x: F.adaptive_max_pool1d(x, 3) ** 2, TIES),
    case("adaptive_max_pool2d", lambda x: F.adaptive_max_pool2d(x, (2, 1)) ** 2, PICTURE),
    case("adaptive_max_pool3d", lambda x: F.adaptive_max_pool3d(x, 1) ** 2, separated(1, 1, 2, 3, 2)),
    case("max_unpool1d", lambda x: F.max_unpool1d(*F.max_pool1d(x, 2, return_indices=True), 2) ** 2, TIES, refused="rarely used"),
]

RESAMPLING = [
    case("interpolate nearest", lambda x: F.interpolate(x * x, scale_factor=2), IMAGE),
    case("interpolate nearest 1-d", lambda x: F.interpolate(x * x, size=5), LINE),
    case("interpolate nearest 3-d", lambda x: F.interpolate(x * x, size=(3, 4, 5)), VOLUME),
    case("interpolate nearest-exact", lambda x: F.interpolate(x * x, size=(3, 6), mode="nearest-exact"), IMAGE),
    case("interpolate linear", lambda x: F.interpolate(x * x, size=9, mode="linear"), LINE),
    case("interpolate linear corners", lambda x: F.interpolate(x * x, size=9, mode="linear", align_corners=True), LINE),
    case("interpolate bilinear", lambda x: F.interpolate(x * x, scale_factor=1.5, mode="bilinear"), IMAGE),
    case("interpolate bilinear corners", lambda x: F.interpolate(x * x, size=(7, 3), mode="bilinear", align_corners=True), IMAGE),
    case("interpolate bilinear antialias", lambda x: F.interpolate(x * x, size=(3, 2), mode="bilinear", antialias=True), IMAGE),
    case("interpolate bicubic", lambda x: F.interpolate(x * x, size=(7, 6), mode="bicubic"), IMAGE),
    case("interpolate trilinear", lambda x: F.interpolate(x * x, size=(3, 4, 5), mode="trilinear"), VOLUME),
    case("interpolate area", lambda x: F.interpolate(x * x, size=(2, 3), mode="area"), IMAGE),
    case("F.upsample", lambda x: F.upsample(x * x, scale_factor=2, mode="nearest"), IMAGE),
    case("nn.Upsample", nn.Upsample(scale_factor=2, mode="bilinear"), IMAGE),
    case("nn.PixelShuffle", nn.PixelShuffle(2), normal(1, 4, 2, 3)),
    case("grid_sample of an image", lambda x: F.grid_sample(x * x, torch.tensor([[[[0.11, -0.43], [0.62, 0.27]]]]).double(), align_corners=False), IMAGE),
    case("grid_sample by the grid", lambda x: F.grid_sample(torch.arange(16.0).double().reshape(1, 1, 4, 4) ** 2, x, align_corners=False), lambda g: torch.tensor([[[[0.01, -0.49], [0.52, 0.0]]]]).double(), refused="rarely used"),
    case("affine_grid", lambda t: F.affine_grid(t, [1, 1, 2, 3], align_corners=False) ** 2, normal(1, 2, 3)),
]

CASES: tuple[Case, ...] = listed(CONVOLUTIONS + PADDING + POOLING + RESAMPLING)
