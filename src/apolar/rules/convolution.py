"""Signals and images: convolution, padding, pooling, resampling.

Nearly all of it is linear in the image, and the components of a jet are further images of a batch: one call does all.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from apolar.engine.jet import Jet, belongs, jets, unsupported
from apolar.rules.registry import apply_bilinear, composite, linear, rule, stacked

native: Any = torch._C._nn
lanczos = [native._upsample_lanczos2d_aa] if hasattr(native, "_upsample_lanczos2d_aa") else []  # not in torch 2.8


def by_sample(function: Callable[[Tensor], Tensor], x: Jet, ndim: int) -> Jet:
    """A linear function of samples with ``ndim`` axes, single or in a batch: the components are more samples."""
    if x.ndim == ndim:
        return x.like(function(x.components))
    if x.ndim != ndim + 1:
        function(x.value)
        raise unsupported(function, x, f"It needs {ndim} or {ndim + 1} axes, got {x.ndim}.")
    out = function(x.components.flatten(0, 1))
    return x.like(out.reshape(*x.components.shape[:2], *out.shape[1:]))


def samples(*functions: Any, ndim: int) -> None:
    """Linear functions of the first argument, sample by sample."""

    def samples_rule(jet: Jet, func: Any, x: Any, *args: Any, **kwargs: Any) -> Jet:
        if not belongs(x, jet) or any(belongs(j, jet) for j in jets((args, kwargs))):
            raise unsupported(func, jet, "Only its first argument may depend on the coordinates.")
        return by_sample(lambda c: func(c, *args, **kwargs), x, ndim)

    rule(*functions, kind="linear")(samples_rule)


# ---------------------------------------------------------------------------------------------------------- convolution


@rule(
    torch.conv1d, torch.conv2d, torch.conv3d, torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d,
    torch.convolution, kind="bilinear",
)  # fmt: skip
def convolution(jet: Jet, func: Any, x: Any, weight: Any, bias: Any = None, *args: Any, **kwargs: Any) -> Any:
    """x ∗ w + b: bilinear in image and weight; with a constant weight one call for all components."""

    def convolve(x: Any, weight: Any) -> Any:
        return func(x, weight, None, *args, **kwargs)

    if belongs(weight, jet):
        y = apply_bilinear(jet, convolve, x, weight)
    elif belongs(x, jet):
        y = by_sample(lambda c: convolve(c, weight), x, weight.ndim - 1)
    else:
        y = convolve(x, weight)
    return y if bias is None else y + bias.reshape(-1, *[1] * (weight.ndim - 2))


@composite(torch.conv_tbc)
def conv_tbc(x: Any, weight: Any, bias: Any, pad: int = 0) -> Any:
    """conv1d with the axes in the order time, batch, channel."""
    return torch.conv1d(x.permute(1, 2, 0), weight.permute(2, 1, 0), bias, padding=pad).permute(2, 0, 1)


samples(native.im2col, ndim=3)
samples(native.col2im, ndim=2)

# -------------------------------------------------------------------------------------------------------------- padding


@rule(native.pad, kind="linear")
def pad(jet: Jet, func: Any, x: Jet, pad: Any, mode: str = "constant", value: float | None = None) -> Any:
    """The border is linear in the image; a constant one counts for the value only."""
    if mode == "constant":
        return torch.constant_pad_nd(x, pad, 0 if value is None else value)
    return by_sample(lambda c: func(c, pad, mode), x, len(pad) // 2 + 1)


@rule(torch.constant_pad_nd, kind="linear")
def constant_pad_nd(jet: Jet, func: Any, x: Jet, pad: Any, value: complex = 0) -> Any:
    if len(pad) > 2 * x.ndim:
        return func(x.value, pad)
    out = func(x.components, pad)
    return jet.like(torch.cat([func(x.components[:1], pad, value), out[1:]]) if value else out)


samples(native.reflection_pad1d, native.replication_pad1d, ndim=2)
samples(native.reflection_pad2d, native.replication_pad2d, ndim=3)
samples(native.reflection_pad3d, native.replication_pad3d, ndim=4)

# -------------------------------------------------------------------------------------------------------------- pooling

samples(torch.avg_pool1d, torch.adaptive_avg_pool1d, ndim=2)
samples(native.avg_pool2d, native.adaptive_avg_pool2d, ndim=3)
samples(native.avg_pool3d, native.adaptive_avg_pool3d, ndim=4)


def by_largest(*functions: Any, axes: int) -> None:
    """Functions that return (values, indices into the last axes): every component takes the entries of the value."""

    def by_largest_rule(jet: Jet, func: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        _, indices = func(x.value, *args, **kwargs)
        chosen = torch.take_along_dim(x.components.flatten(-axes), indices.flatten(-axes).unsqueeze(0), -1)
        return jet.like(chosen.reshape(x.components.shape[0], *indices.shape)), indices

    rule(*functions, kind="selection")(by_largest_rule)


by_largest(torch.max_pool1d_with_indices, torch.adaptive_max_pool1d, axes=1)
by_largest(native.max_pool2d_with_indices, native.adaptive_max_pool2d, native.fractional_max_pool2d, axes=2)
by_largest(native.max_pool3d_with_indices, native.adaptive_max_pool3d, native.fractional_max_pool3d, axes=3)


def values_of(with_indices: Any, *functions: Any) -> None:
    """Functions that return the first of what ``with_indices`` returns."""
    composite(*functions)(lambda *args, **kwargs: with_indices(*args, **kwargs)[0])


values_of(F.max_pool1d_with_indices, F.max_pool1d, torch.max_pool1d)
values_of(F.max_pool2d_with_indices, F.max_pool2d, torch.max_pool2d)
values_of(F.max_pool3d_with_indices, F.max_pool3d, torch.max_pool3d)
values_of(F.adaptive_max_pool1d_with_indices, F.adaptive_max_pool1d)
values_of(F.adaptive_max_pool2d_with_indices, F.adaptive_max_pool2d)
values_of(F.adaptive_max_pool3d_with_indices, F.adaptive_max_pool3d)
values_of(F.fractional_max_pool2d_with_indices, F.fractional_max_pool2d)
values_of(F.fractional_max_pool3d_with_indices, F.fractional_max_pool3d)

linear(native.max_unpool2d, native.max_unpool3d)

# ----------------------------------------------------------------------------------------------------------- resampling

samples(native.upsample_nearest1d, native._upsample_nearest_exact1d, native.upsample_linear1d, ndim=2)
samples(
    native.upsample_nearest2d, native._upsample_nearest_exact2d, native.upsample_bilinear2d, native.upsample_bicubic2d,
    native._upsample_bilinear2d_aa, native._upsample_bicubic2d_aa, *lanczos, ndim=3,
)  # fmt: skip
samples(native.upsample_nearest3d, native._upsample_nearest_exact3d, native.upsample_trilinear3d, ndim=4)

stacked(torch.pixel_shuffle)(torch.pixel_shuffle)
stacked(torch.pixel_unshuffle)(torch.pixel_unshuffle)


@composite(torch.channel_shuffle, torch.native_channel_shuffle)
def channel_shuffle(x: Any, groups: int) -> Any:
    return x.unflatten(1, (groups, -1)).transpose(1, 2).flatten(1, 2)


linear(torch.affine_grid_generator, arguments=(0, "theta"))


@rule(torch.grid_sampler, torch.grid_sampler_2d, torch.grid_sampler_3d, kind="linear")
def grid_sampler(
    jet: Jet, func: Any, image: Any, grid: Any, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Any:
    """Linear in the image: with a constant grid, the components are further channels."""
    if belongs(grid, jet):
        return sample(image, grid, interpolation_mode, padding_mode, align_corners)
    channels = image.components.movedim(0, 1).flatten(1, 2)
    out = func(channels, grid, interpolation_mode, padding_mode, align_corners)
    return jet.like(out.unflatten(1, (jet.algebra.size, image.shape[1])).movedim(1, 0))


ZEROS, BORDER, REFLECTION = range(3)
BILINEAR, NEAREST, BICUBIC = range(3)


def sample(image: Any, grid: Any, mode: int, padding: int, align: bool) -> Any:
    """Σ over the pixels around each point of the grid: pixel · Π weights, one weight for each axis."""
    sizes = image.shape[2:]
    pixels = image.flatten(2)
    taps = [_taps(grid[..., -1 - d], size, mode, padding, align) for d, size in enumerate(sizes)]
    total: Any = 0
    for corner in product(*taps):
        index: Any = 0
        weight: Any = 1
        for (i, w), size in zip(corner, sizes, strict=True):
            index = index * size + i.clamp(0, size - 1)
            weight = weight * w * ((i >= 0) & (i < size))
        at = index.flatten(1).unsqueeze(1).expand(-1, image.shape[1], -1)
        total = total + torch.gather(pixels, 2, at) * weight.flatten(1).unsqueeze(1)
    return total.unflatten(2, grid.shape[1:-1])


def _taps(g: Any, size: int, mode: int, padding: int, align: bool) -> list[tuple[Tensor, Any]]:
    """The pixels that a coordinate −1 ≤ g ≤ 1 reads along one axis of ``size`` pixels, and their weights."""
    x = (g + 1) * ((size - 1) / 2) if align else ((g + 1) * size - 1) / 2
    if mode == BICUBIC:
        near = [torch.floor(x) + k for k in (-1, 0, 1, 2)]
        return [(_inside(i, size, padding, align).long(), _cubic(torch.abs(x - i))) for i in near]
    x = _inside(x, size, padding, align)
    if mode == NEAREST:
        return [(torch.round(x).long(), torch.ones_like(torch.round(x)))]
    low = torch.floor(x)
    return [(low.long(), low + 1 - x), (low.long() + 1, x - low)]


def _inside(x: Any, size: int, padding: int, align: bool) -> Any:
    """Pixel coordinates led back into the image."""
    if padding == REFLECTION:
        start, span = (0.0, size - 1) if align else (-0.5, size)
        distance = torch.abs(x - start)
        turns = torch.floor(distance / span) if span else 0 * torch.floor(distance)
        rest = distance - turns * span
        x = start + torch.where(turns % 2 == 0, rest, span - rest) if span else x * 0
    return x if padding == ZEROS else torch.clamp(x, 0, size - 1)


def _cubic(t: Any, a: float = -0.75) -> Any:
    """Keys' kernel: (a+2)t³ − (a+3)t² + 1 for t ≤ 1, a(t³ − 5t² + 8t − 4) for t < 2."""
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    return torch.where(t <= 1, near, a * (((t - 5) * t + 8) * t - 4))
