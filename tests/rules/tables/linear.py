# One case is one line, however long.
# fmt: off
# ruff: noqa: E501
"""Linear maps that mix entries: sums, means, cumulative sums, differences, Fourier transforms."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..case import Case, analytic, case, listed
from ..points import normal, positive

A, C = normal(3, 4), normal(2, 3, 4)

SUMS = [
    analytic("sum", lambda x: torch.sum(x * x), A),
    analytic("Tensor.sum", lambda x: (x * x).sum(), A),
    analytic("sum axis", lambda x: (x * x).sum(0), A),
    analytic("sum negative axis keepdim", lambda x: (x * x).sum(-1, keepdim=True), A),
    analytic("sum axes", lambda x: (x * x).sum((0, 2)), C),
    analytic("sum all axes", lambda x: (x * x).sum((0, -1, 1)), C),
    analytic("sum dim=, keepdim=", lambda x: torch.sum(x * x, dim=(1, 2), keepdim=True), C),
    analytic("sum axis=", lambda x: torch.sum(x * x, axis=1, keepdims=True), C),
    analytic("sum dtype", lambda x: torch.sum(x * x, dtype=torch.float64), A, oracle="chebyshev"),
    analytic("sum of no axes", lambda x: torch.sum(x * x, dim=()), A),
    analytic("sum of size 0", lambda x: (x * x).sum(0), normal(0, 3)),
    analytic("sum of a 0-d tensor", lambda x: (x * x).sum(), normal()),
    analytic("sum_to_size", lambda x: (x * x).sum_to_size(1, 4), A),
    analytic("nansum", lambda x: torch.nansum(x * x, 0), A, oracle="chebyshev"),
    analytic("mean", lambda x: torch.mean(x * x), A),
    analytic("mean axis", lambda x: (x * x).mean(1), A),
    analytic("mean axes keepdim", lambda x: (x * x).mean((0, -1), keepdim=True), C),
    analytic("mean dim=None", lambda x: torch.mean(x * x, dim=None), A),
    analytic("nanmean", lambda x: torch.nanmean(x * x, 1), A, oracle="chebyshev"),
    analytic("cumsum", lambda x: torch.cumsum(x * x, 1), A),
    analytic("Tensor.cumsum negative", lambda x: (x * x).cumsum(-2), A),
    analytic("diff", lambda x: torch.diff(x * x), A),
    analytic("diff twice", lambda x: torch.diff(x * x, n=2, dim=0), normal(4, 3)),
    analytic("diff prepend", lambda x: torch.diff(x * x, prepend=x[:, :1]), A),
    analytic("trapezoid", lambda x: torch.trapezoid(x * x), A),
    analytic("trapezoid dx", lambda x: torch.trapezoid(x * x, dx=0.5, dim=0), A),
    analytic("trapezoid x", torch.trapezoid, A, normal(4)),
    analytic("trapz", lambda x: torch.trapz(x * x), A),
    analytic("cumulative_trapezoid", lambda x: torch.cumulative_trapezoid(x * x, dim=1), A),
    analytic("gradient", lambda x: torch.gradient(x * x, spacing=0.5), A, oracle="chebyshev"),
    case("count_nonzero is a constant", lambda x: torch.count_nonzero(x) * x, A),
    case("one_hot is a constant", lambda x: torch.nn.functional.one_hot(torch.tensor([0, 2, 1]), 3).double() @ x, A),
]

COMPLEX = [
    case("rfft to power", lambda x: torch.fft.rfft(x).abs() ** 2, A),
    case("rfft to power by parts", lambda x: (lambda z: z.real**2 + z.imag**2)(torch.fft.rfft(x)), A),
    case("rfft to power by conjugate", lambda x: (lambda z: (z * z.conj()).real)(torch.fft.rfft(x)), A),
    case("rfft, multiplied, irfft", lambda x: torch.fft.irfft(torch.fft.rfft(x**2) * torch.tensor([1.0, 2.0, 3.0]), n=4), A),
    case("fft, ifft", lambda x: torch.fft.ifft(torch.fft.fft(x, dim=0) * 1j, dim=0).imag, A),
    case("fft2, ifft2", lambda x: torch.fft.ifft2(torch.fft.fft2(x) ** 2).real, A),
    case("rfft2, irfft2", lambda x: torch.fft.irfft2(torch.fft.rfft2(x) ** 2, s=(3, 4)), A),
    case("fftn, ifftn", lambda x: torch.fft.ifftn(torch.fft.fftn(x) ** 2).real, C),
    case("rfftn, irfftn", lambda x: torch.fft.irfftn(torch.fft.rfftn(x), s=(2, 3, 4)) ** 2, C),
    case("hfft", lambda x: torch.fft.hfft(torch.fft.ihfft(x * x), n=4), A),
    case("fftshift", lambda x: torch.fft.ifftshift(torch.fft.fftshift(x * x, 1), 0), A),
    case("rfft norm, n", lambda x: torch.view_as_real(torch.fft.rfft(x * x, n=6, norm="ortho")), A),
    case("stft", lambda x: torch.stft(x * x, 8, 4, window=torch.hann_window(8).double(), return_complex=True).abs() ** 2, normal(32)),
    case("complex exponential", lambda x: torch.exp(1j * x).real * torch.exp(1j * x).imag, A),
    case("complex number times x", lambda x: ((2 + 3j) * x**2).imag + (x * 1j).abs() * 0 + (x * (1 - 1j)).real, positive(3, 4)),
    case("complex power", lambda x: ((x + 1j) ** 3).real, A),
    case("complex quotient", lambda x: (1 / (x + 1j)).imag, A),
    case("complex functions", lambda x: (torch.sin(x + 0.5j) + torch.sqrt(x + 1j) + torch.log(x + 2j) + torch.tanh(x * 0.3j)).real, A),
    case("complex matmul", lambda x: (lambda z: (z @ z.mH).real)(torch.complex(x, x * x)), A),
    case("complex abs", lambda x: torch.abs(torch.complex(x, x * x + 1)), A),
    case("complex angle", lambda x: torch.angle(torch.complex(x * x + 1, x)), A),
    case("real, imag, conj", lambda x: (lambda z: torch.real(z) * torch.imag(z) + torch.conj(z).imag)(torch.complex(x, x * x)), A),
    case("conj_physical, resolve_conj", lambda x: torch.view_as_real(torch.conj_physical(torch.complex(x, x * x)).conj().resolve_conj()), A),
    case("angle of a real tensor", lambda x: torch.angle(x) * x, positive(3, 4)),
    case("real of a real tensor", lambda x: torch.real(x) * torch.conj(x), A),
]


def curve(x: Tensor) -> Tensor:
    """A complex function of real numbers that is never 0."""
    return torch.complex(x * x + 0.5, x + 1)


def parts(z: Tensor) -> Tensor:
    """Real and imaginary part on a new last axis."""
    return torch.view_as_real(z.resolve_conj()) if z.is_complex() else z


def transforms(suffix: str) -> dict[str, Callable[..., Tensor]]:
    """The Fourier transforms of one axis, of two (2), of all (n)."""
    return {name: getattr(torch.fft, name + suffix) for name in ("fft", "ifft", "irfft", "hfft", "rfft", "ihfft")}


HANN = torch.hann_window(8).double()

MORE = [
    *(case(f"{name} of axis 0", lambda x, f=f, real=name in ("rfft", "ihfft"): parts(f(x * x if real else curve(x), 5, 0, "ortho")), A) for name, f in transforms("").items()),
    *(case(f"{name}2 of axes", lambda x, f=f, real=name in ("rfft", "ihfft"): parts(f(x * x if real else curve(x), (3, 2), (0, -1), "forward")), C) for name, f in transforms("2").items()),
    *(case(f"{name}n of the last axes", lambda x, f=f, real=name in ("rfft", "ihfft"): parts(f(x * x if real else curve(x), s=(3, 2))), C) for name, f in transforms("n").items()),
    case("stft of a batch", lambda x: parts(torch.stft(x * x, 8, 3, 6, torch.hann_window(6).double(), normalized=True, onesided=False, return_complex=True)), normal(2, 20)),
    case("stft with a moving window", lambda x, w: parts(torch.stft(x, 8, 3, window=w, return_complex=True)), normal(20), normal(8)),
    case("istft with a moving window", lambda x, w: torch.istft(torch.complex(x, x * x), 8, 2, window=w), normal(5, 6), positive(8)),
    case("istft", lambda x: torch.istft(torch.stft(x * x, 8, 2, window=HANN, return_complex=True) ** 2, 8, 2, window=HANN, length=20), normal(2, 20)),
    case("Tensor.istft", lambda x: ((x * x).stft(8, 2, window=HANN, return_complex=True) ** 2).istft(8, 2, window=HANN), normal(20)),
    case("abs of a complex 0-d tensor", lambda x: abs(curve(x)), normal()),
    case("abs where it stays 0", lambda x: torch.fft.fft(x - x.mean()).abs()[1:] + torch.complex(x * 0, x * 0).abs()[1:], positive(4)),
    case("sgn of a complex tensor", lambda x: parts(torch.sgn(curve(x))), A),
    case("polar, angle alone", lambda a: parts(torch.polar(torch.ones(3).double(), a)), normal(3)),
    case("complex with a constant", lambda x: parts(torch.complex(real=x, imag=torch.ones(3).double()) ** 2), normal(3)),
    case("conjugate transposes", lambda x: parts(curve(x).mH @ curve(x) + torch.adjoint(curve(x)) @ curve(x)), A),
    case("complex linear layer", lambda x, w: parts(torch.nn.functional.linear(curve(x), curve(w), curve(w)[:, 0])), normal(3, 2), normal(2, 2)),
    case("part written in place", lambda x: (lambda z: (z.real.mul_(2), parts(z))[1])(curve(x)), A),
    case("complex vector norms", lambda x: torch.linalg.vector_norm(curve(x), dim=0) + torch.linalg.vector_norm(curve(x), 3, 0), A),
]

CASES: tuple[Case, ...] = listed(SUMS + COMPLEX + MORE)
