"""Complex numbers and Fourier transforms.

The coordinates are real, so whatever is linear over the real numbers acts on each component alone: conjugation as well.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

import apolar.rules.elementwise  # noqa: F401  # the rules for real numbers
from apolar.engine.jet import RULES, Jet, belongs, beneath, jets
from apolar.engine.torch_private import variables
from apolar.rules.components import apply_bilinear
from apolar.rules.convolution import by_sample
from apolar.rules.record import Entries, Kind
from apolar.rules.registry import composite, linear, rule, stacked, views
from apolar.rules.shapes import axes, axis

# ---------------------------------------------------------------------------------------------------------------- parts

views("real", Tensor.real.__get__, entries=Entries.APART)(torch.real)  # type: ignore[attr-defined]
views("imag", Tensor.imag.__get__, entries=Entries.APART)(torch.imag)  # type: ignore[attr-defined]
views("conj", entries=Entries.APART)(torch.conj)
views("view_as_complex", entries=Entries.MIXED)(torch.view_as_complex)
views("view_as_real", entries=Entries.MIXED)(lambda x: torch.view_as_real(x.resolve_conj()))


@rule("conj_physical", "resolve_conj", "resolve_neg", kind=Kind.LINEAR, entries=Entries.APART)
def resolve(jet: Jet, func: Any, x: Jet) -> Jet:
    """``x`` itself where there is nothing to do, as in torch."""
    components = func(x.components)
    return x if components is x.components else x.like(components)


linear(torch.complex, arguments=(0, 1, "real", "imag"), entries=Entries.APART)


real_softsign = RULES[F.softsign]


@rule(F.softsign, kind=Kind.ELEMENTWISE, entries=Entries.APART, replacing=True)
def softsign(jet: Jet, func: Any, z: Jet) -> Any:
    """z/(1 + |z|)."""
    return z / (1 + torch.abs(z)) if z.is_complex() else real_softsign(jet, func, z)


@composite(torch.polar)
def polar(abs: Any, angle: Any) -> Any:
    """r (cos φ + i sin φ)."""
    return torch.complex(abs * torch.cos(angle), abs * torch.sin(angle))


real_abs = RULES[torch.abs]


@rule("abs", "absolute", kind=Kind.ELEMENTWISE, entries=Entries.APART, replacing=True)
def modulus(jet: Jet, func: Any, z: Jet) -> Any:
    """√(x² + y²) of complex numbers. Where z is 0 it has derivatives only if z stays 0, and NaN if not."""
    if not z.is_complex():
        return real_abs(jet, func, z)
    empty = z.value == 0
    w = torch.where(empty, 1.0, z)
    r: Any = torch.where(empty, 0.0, torch.sqrt(w.real * w.real + w.imag * w.imag))
    kink = torch.where(empty & (z.components != 0).any(0), torch.nan, 0.0)
    return z.like(torch.cat([r.components[:1], r.components[1:] + kink.to(r.dtype)]))


@rule("angle", kind=Kind.ELEMENTWISE, entries=Entries.APART)
def angle(jet: Jet, func: Any, z: Jet) -> Any:
    """arg z; of a real number 0 or π, a constant."""
    return torch.atan2(z.imag, z.real) if z.is_complex() else func(z.value)


# --------------------------------------------------------------------------------------------------- Fourier transforms


def along_axis(function: Any) -> None:
    """A transform of one axis."""

    @stacked(function)
    def transform(x: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
        return function(x, n, axis(x, dim), norm)


def along_axes(function: Any, default: tuple[int, ...] | None) -> None:
    """A transform of several axes: by default the last ones that ``s`` has sizes for, or all."""

    @stacked(function)
    def transform(x: Tensor, s: Any = None, dim: Any = default, norm: str | None = None) -> Tensor:
        dims = range(-len(s), 0) if dim is None and s is not None else axes(x, dim)
        return function(x, s, tuple(dims), norm)


for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"):
    along_axis(getattr(torch.fft, name))
    along_axes(getattr(torch.fft, name + "2"), (-2, -1))
    along_axes(getattr(torch.fft, name + "n"), None)

linear("_fft_r2c", "_fft_c2r", "_fft_c2c")  # what the others reach in ATen

stacked(torch.fft.fftshift)(lambda x, dim=None: torch.fft.fftshift(x, axes(x, dim)))
stacked(torch.fft.ifftshift)(lambda x, dim=None: torch.fft.ifftshift(x, axes(x, dim)))


@rule(variables.stft, kind=Kind.BILINEAR, linear_in=(0, 4, "window"))
def stft(
    jet: Jet, func: Any, x: Any, n_fft: int, hop_length: Any = None, win_length: Any = None, window: Any = None,
    *options: Any,
) -> Jet:  # fmt: skip
    """Bilinear in signal and window."""

    def transform(x: Any, window: Any) -> Any:
        return func(x, n_fft, hop_length, win_length, window, *options)

    if belongs(window, jet):
        return apply_bilinear(jet, transform, x, window)
    return by_sample(lambda c: transform(c, window), x, 1)


@rule(torch.istft, kind=Kind.LINEAR)
def istft(jet: Jet, func: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    """Linear in the spectrum; a window enters as w/w² as well, and what torch composes it of is followed."""
    if any(True for _ in jets((args, kwargs))):
        return beneath(func, x, *args, **kwargs)
    return by_sample(lambda c: func(c, *args, **kwargs), x, 2)
