# One case is one line, however long.
# fmt: off
# ruff: noqa: E501
"""Convolutions, pooling, padding, interpolation, unfolding."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from ..case import Case, case, listed, seeded
from ..points import Maker, normal, positive, separated, uniform

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


def beside_pixels(*sizes: int, corners: bool = False) -> Maker:
    """Two points per axis, a quarter of a pixel beside the centre of a pixel, up to two pixels outside of an image."""

    def make(g: Generator) -> Tensor:
        shape = (1,) + (2,) * len(sizes)
        pixels = [torch.randint(-2, n + 2, shape, generator=g) + uniform(0.22, 0.28, *shape)(g) for n in reversed(sizes)]
        scaled = zip(pixels, reversed(sizes))
        return torch.stack([2 * p / (n - 1) - 1 if corners else (2 * p + 1) / n - 1 for p, n in scaled], -1)

    return make


SIZED = seeded(nn.ConvTranspose1d, 2, 4, 3, padding=1, groups=2, stride=2)
MORE = [
    case("bias alone", lambda b: F.conv2d(torch.ones(2, 1, 3, 3).double(), torch.ones(2, 1, 2, 2).double(), b) ** 2, normal(2)),
    case("bias=", lambda x, b: F.conv2d(x, torch.ones(2, 2, 2, 2).double(), bias=b, stride=2) ** 2, IMAGE, normal(2)),
    case("torch.convolution", lambda x, w, b: torch.convolution(x, w, b, [2, 1], [1, 0], [1, 1], False, [0, 0], 1), IMAGE, normal(3, 2, 2, 3), normal(3)),
    case("torch.convolution transposed", lambda x, w: torch.convolution(x, w, None, [2, 1], [1, 0], [1, 1], True, [1, 0], 1), IMAGE, normal(2, 3, 2, 3)),
    case("conv_transpose3d, all options", lambda x, w, b: F.conv_transpose3d(x, w, b, 2, 1, 1, 2, 2), VOLUME, normal(2, 1, 2, 2, 2), normal(2)),
    case("conv_transpose2d without batch", F.conv_transpose2d, normal(2, 4, 3), normal(2, 3, 2, 2), normal(3)),
    case("conv1d, complex", lambda x, w: torch.view_as_real(F.conv1d(torch.complex(x, x * x), torch.complex(w, w * w))), LINE, normal(3, 2, 3)),
    case("conv1d of no samples", F.conv1d, normal(0, 2, 5), normal(3, 2, 3), normal(3)),
    case("nn.Conv3d replicate", seeded(nn.Conv3d, 2, 4, 3, padding=1, padding_mode="replicate", groups=2, stride=2), VOLUME),
    case("nn.ConvTranspose1d output size", lambda x: SIZED(x, output_size=[14]), LINE),
    case("nn.Fold of nn.Unfold", lambda x: nn.Fold((4, 5), 2)(nn.Unfold(2)(x * x)) ** 2, normal(2, 1, 4, 5)),
    case("F.fold without batch", lambda x: F.fold(x * x, (4, 4), 2), normal(8, 9)),
    case("constant_pad_nd", lambda x: torch.constant_pad_nd(x * x, (1, 1, 2, 0), value=3.0) ** 2, IMAGE),
    case("constant_pad_nd, complex", lambda x: torch.view_as_real(torch.constant_pad_nd(torch.complex(x, x * x), (1, 1), value=3.0 - 1j) ** 2), LINE),
    case("fractional_max_pool3d of no samples", lambda x: F.fractional_max_pool3d(x, 2, (1, 1, 1)), normal(0, 1, 4, 4, 4)),
    case("grid_sampler_2d", lambda x, g: torch.grid_sampler_2d(x, g, 0, 1, False), normal(1, 2, 5, 4), lambda g: beside_pixels(5, 4)(g)),
    case("grid_sampler_3d", lambda x, g: torch.grid_sampler_3d(x, g, 0, 0, False), normal(1, 2, 3, 4, 3), lambda g: beside_pixels(3, 4, 3)(g)),
    case("pad all axes", lambda x: F.pad(x * x, (1, 0, 0, 1), value=2) ** 2, normal(2, 3)),
    case("nn.ReflectionPad3d", nn.ReflectionPad3d(1), normal(1, 1, 2, 2, 2)),
    case("nn.ReplicationPad3d", nn.ReplicationPad3d(1), normal(1, 2, 2, 2)),
    case("nn.CircularPad3d", nn.CircularPad3d(1), normal(1, 2, 2, 2)),
    case("torch.max_pool1d", lambda x: torch.max_pool1d(x, 2) ** 2, TIES),
    case("torch.max_pool2d", lambda x: torch.max_pool2d(x, 2) ** 2, PICTURE),
    case("torch.max_pool3d", lambda x: torch.max_pool3d(x, 2) ** 2, separated(1, 2, 2, 3, 2)),
    case("max_pool3d, all options, without batch", lambda x: F.max_pool3d(x, 2, 1, 1, 2) ** 2, separated(1, 4, 4, 4)),
    case("max_unpool2d", lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2) ** 2, PICTURE),
    case("max_unpool3d", lambda x: F.max_unpool3d(*F.max_pool3d(x, 2, return_indices=True), 2) ** 2, separated(1, 1, 2, 4, 4)),
    case("adaptive_max_pool2d indices", lambda x: F.adaptive_max_pool2d(x, 2, return_indices=True)[0] ** 2, separated(2, 1, 4, 5)),
    case("fractional_max_pool2d", lambda x: F.fractional_max_pool2d(x, 2, (2, 2), _random_samples=torch.full((1, 2, 2), 0.3).double()) ** 2, separated(1, 2, 5, 5)),
    case("lp_pool3d", lambda x: F.lp_pool3d(x, 2, 2), positive(1, 1, 2, 4, 2)),
    case("local_response_norm over three channels", lambda x: F.local_response_norm(x, 3, alpha=1.0), normal(2, 3, 4, 2)),
    *(case(f"interpolate {mode}", lambda x, mode=mode: F.interpolate(x * x, size=(3, 7), mode=mode, antialias=True), IMAGE) for mode in ["lanczos"] if hasattr(torch.ops.aten, "_upsample_lanczos2d_aa")),
    case("interpolate bicubic antialias", lambda x: F.interpolate(x * x, size=(3, 2), mode="bicubic", antialias=True), IMAGE),
    case("interpolate bicubic corners", lambda x: F.interpolate(x * x, scale_factor=(1.7, 0.6), mode="bicubic", align_corners=True), IMAGE),
    case("interpolate recomputed factor", lambda x: F.interpolate(x * x, scale_factor=(1.7, 0.6), mode="bilinear", recompute_scale_factor=True), IMAGE),
    case("interpolate trilinear corners", lambda x: F.interpolate(x * x, scale_factor=1.5, mode="trilinear", align_corners=True), VOLUME),
    case("interpolate nearest-exact 1-d", lambda x: F.interpolate(x * x, scale_factor=1.5, mode="nearest-exact"), LINE),
    case("interpolate nearest-exact 3-d", lambda x: F.interpolate(x * x, size=3, mode="nearest-exact"), VOLUME),
    case("interpolate area 1-d", lambda x: F.interpolate(x * x, scale_factor=0.5, mode="area"), LINE),
    case("interpolate area 3-d", lambda x: F.interpolate(x * x, size=2, mode="area"), VOLUME),
    case("nn.PixelUnshuffle", nn.PixelUnshuffle(2), normal(2, 1, 2, 4, 6)),
    case("affine_grid 3-d", lambda t: F.affine_grid(t, [2, 1, 2, 3, 2], align_corners=True) ** 2, normal(2, 3, 4)),
    *(case(f"grid_sample {mode} {padding}{' corners' * corners}", lambda x, g, options=(mode, padding, corners): F.grid_sample(x, g, *options), normal(1, 2, 5, 4), beside_pixels(5, 4, corners=corners)) for mode in ("bilinear", "nearest", "bicubic") for padding in ("zeros", "border", "reflection") for corners in (False, True)),
    *(case(f"grid_sample 3-d {mode} {padding}", lambda x, g, options=(mode, padding, False): F.grid_sample(x, g, *options), normal(1, 2, 3, 4, 3), beside_pixels(3, 4, 3)) for mode in ("bilinear", "nearest") for padding in ("zeros", "border", "reflection")),
]

CASES: tuple[Case, ...] = listed(CONVOLUTIONS + PADDING + POOLING + RESAMPLING + MORE)
