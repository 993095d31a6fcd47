# One case is one line, however long.
# fmt: off
# ruff: noqa: E501
"""Functions of one variable, with the mpmath function that each must agree with, and where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import mpmath as mp
import torch
import torch.nn.functional as F

MIDDLE = (-2.3, -0.7, 0.0, 0.4, 1.9)
POSITIVE = (0.05, 0.3, 0.9, 1.0, 2.6, 7.5)
UNIT = (-0.93, -0.4, 0.0, 0.3, 0.85)
SIGNED = (-3.1, -0.6, 0.2, 1.4, 4.7)


class Univariate(NamedTuple):
    """A function of one variable.

    Attributes:
        name: of the test.
        function: of a tensor.
        exact: the same of an mpmath number.
        points: where both are differentiated.
        refused: why ``UnsupportedOperator`` is an answer too.
        tolerance: looser where PyTorch's own values are.
    """

    name: str
    function: Callable[[torch.Tensor], torch.Tensor]
    exact: Callable[[Any], Any]
    points: tuple[float, ...]
    refused: str = ""
    tolerance: float = 1e-10

    def __str__(self) -> str:
        return self.name


def sinc(x: Any) -> Any:
    """sin(πx)/(πx)."""
    return mp.sincpi(x)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def log_abs_gamma(x: Any) -> Any:
    return mp.log(abs(mp.gamma(x)))


def normal_quantile(p: Any) -> Any:
    return mp.sqrt(2) * mp.erfinv(2 * p - 1)


def spherical_j0(x: Any) -> Any:
    return mp.sinc(x)


def gelu_tanh(x: Any) -> Any:
    return x / 2 * (1 + mp.tanh(mp.sqrt(2 / mp.pi) * (x + mp.mpf("0.044715") * x**3)))


def multigammaln(x: Any) -> Any:
    """log Γ₂(x) = ½ log π + log Γ(x) + log Γ(x − ½)."""
    return mp.log(mp.pi) / 2 + mp.loggamma(x) + mp.loggamma(x - mp.mpf(1) / 2)


def erfcx(x: Any) -> Any:
    return mp.exp(x * x) * mp.erfc(x)


def softplus(x: Any) -> Any:
    return mp.log1p(mp.exp(x))


LOOSE = 1e-8
"""For the trigamma function, whose values in PyTorch are good to 3e-10, and the Bessel functions J and Y, 1e-11."""


def polynomials(n: int) -> list[Univariate]:
    """The orthogonal polynomials of degree n."""
    half = mp.mpf(1) / 2
    exact: dict[str, Callable[[Any], Any]] = {
        "chebyshev_polynomial_t": lambda x: mp.chebyt(n, x),
        "chebyshev_polynomial_u": lambda x: mp.chebyu(n, x),
        "chebyshev_polynomial_v": lambda x: mp.chebyu(n, x) - (mp.chebyu(n - 1, x) if n else 0),
        "chebyshev_polynomial_w": lambda x: mp.chebyu(n, x) + (mp.chebyu(n - 1, x) if n else 0),
        "hermite_polynomial_h": lambda x: mp.hermite(n, x),
        "hermite_polynomial_he": lambda x: mp.hermite(n, x * mp.sqrt(half)) * half ** (n * half),
        "laguerre_polynomial_l": lambda x: mp.laguerre(n, 0, x),
        "legendre_polynomial_p": lambda x: mp.legendre(n, x),
    }
    shifted = {f"shifted_{name}": lambda x, exact=f: exact(2 * x - 1) for name, f in exact.items() if "chebyshev" in name}
    return [
        Univariate(f"{name} {n}", lambda x, name=name: getattr(torch.special, name)(x, n), f, UNIT)
        for name, f in {**exact, **shifted}.items()
    ]


def of(
    name: str, exact: Callable[[Any], Any], *points: float, refused: str = "", tolerance: float = 1e-10
) -> list[Univariate]:
    """The function under every name that PyTorch has for it: torch, torch.special, a method, torch.nn.functional."""
    forms = {
        f"torch.{name}": getattr(torch, name, None),
        f"torch.special.{name}": getattr(torch.special, name, None),
        f"Tensor.{name}": getattr(torch.Tensor, name, None),
        f"F.{name}": getattr(F, name, None),
    }
    return [Univariate(form, f, exact, points, refused, tolerance) for form, f in forms.items() if f is not None]


ELEMENTARY = [
    *of("exp", mp.exp, *MIDDLE, -40.0, 20.0),
    *of("exp2", lambda x: mp.mpf(2) ** x, *MIDDLE),
    *of("expm1", mp.expm1, *MIDDLE, 1e-9),
    *of("log", mp.log, *POSITIVE),
    *of("log2", lambda x: mp.log(x, 2), *POSITIVE),
    *of("log10", mp.log10, *POSITIVE),
    *of("log1p", mp.log1p, -0.6, 0.0, 1e-9, 0.7, 5.0),
    *of("sqrt", mp.sqrt, *POSITIVE),
    *of("rsqrt", lambda x: 1 / mp.sqrt(x), *POSITIVE),
    *of("reciprocal", lambda x: 1 / x, *SIGNED),
    *of("square", lambda x: x * x, *MIDDLE),
    *of("deg2rad", mp.radians, *MIDDLE),
    *of("rad2deg", mp.degrees, *MIDDLE),
    *of("sin", mp.sin, *MIDDLE, 30.0),
    *of("cos", mp.cos, *MIDDLE, 30.0),
    *of("tan", mp.tan, -1.2, 0.0, 0.5, 1.1, 2.5),
    *of("asin", mp.asin, *UNIT),
    *of("arcsin", mp.asin, *UNIT),
    *of("acos", mp.acos, *UNIT),
    *of("arccos", mp.acos, *UNIT),
    *of("atan", mp.atan, *MIDDLE, 12.0),
    *of("arctan", mp.atan, *MIDDLE),
    *of("sinh", mp.sinh, *MIDDLE),
    *of("cosh", mp.cosh, *MIDDLE),
    *of("tanh", mp.tanh, *MIDDLE, -9.0, 25.0),
    *of("asinh", mp.asinh, *MIDDLE, 8.0),
    *of("arcsinh", mp.asinh, *MIDDLE),
    *of("acosh", mp.acosh, 1.2, 1.9, 7.0),
    *of("arccosh", mp.acosh, 1.2, 1.9),
    *of("atanh", mp.atanh, *UNIT),
    *of("arctanh", mp.atanh, *UNIT),
    *of("sinc", sinc, *MIDDLE, 1.0, 1e-9, 1e-4, 0.01),
    *of("abs", abs, *SIGNED),
    *of("absolute", abs, *SIGNED),
    *of("negative", lambda x: -x, *MIDDLE),
    *of("neg", lambda x: -x, *MIDDLE),
    *of("positive", lambda x: x, *MIDDLE),
]

STATISTICS = [
    *of("sigmoid", sigmoid, *MIDDLE, -20.0, 30.0),
    *of("expit", sigmoid, *MIDDLE),
    *of("logit", lambda p: mp.log(p / (1 - p)), 0.05, 0.3, 0.5, 0.9),
    Univariate("logit eps", lambda p: torch.logit(p, eps=0.01), lambda p: mp.log(p / (1 - p)), (0.05, 0.9)),
    *of("erf", mp.erf, *MIDDLE, 5.0),
    *of("erfc", mp.erfc, *MIDDLE, 5.0),
    *of("erfcx", erfcx, -1.5, 0.0, 0.4, 3.0, 12.0),
    *of("erfinv", mp.erfinv, -0.9, -0.3, 0.0, 0.5, 0.97),
    *of("ndtr", mp.ncdf, *MIDDLE, -6.0),
    *of("ndtri", normal_quantile, 0.03, 0.4, 0.5, 0.8),
    *of("log_ndtr", lambda x: mp.log(mp.ncdf(x)), *MIDDLE, -8.0, -25.0, 6.0),
    *of("entr", lambda x: -x * mp.log(x), *POSITIVE),
    Univariate("xlogy(x, x)", lambda x: torch.xlogy(x, x), lambda x: x * mp.log(x), POSITIVE),
    Univariate("xlogy(2, x)", lambda x: torch.xlogy(2, x), lambda x: 2 * mp.log(x), POSITIVE),
    Univariate("xlog1py(x, x)", lambda x: torch.special.xlog1py(x, x), lambda x: x * mp.log1p(x), (-0.5, 0.0, 1.5)),
    Univariate("logsumexp of (x, 0)", lambda x: torch.logsumexp(torch.stack([x, x * 0], -1), -1), softplus, MIDDLE),
    Univariate("softmax of (x, 0)", lambda x: torch.stack([x, 0 * x], -1).softmax(-1)[..., 0], sigmoid, (*MIDDLE, -20.0, 20.0)),
]

GAMMA = [
    *of("lgamma", log_abs_gamma, *POSITIVE, -0.4, -1.7, 30.0, tolerance=LOOSE),
    *of("gammaln", log_abs_gamma, *POSITIVE, -0.4, tolerance=LOOSE),
    *of("digamma", lambda x: mp.psi(0, x), *POSITIVE, -0.4, -1.7, 30.0, tolerance=LOOSE),
    *of("psi", lambda x: mp.psi(0, x), *POSITIVE, tolerance=LOOSE),
    *(
        Univariate(f"polygamma({n}, x)", lambda x, n=n: torch.polygamma(n, x), lambda x, n=n: mp.psi(n, x), (0.5, 1.3, 4.0), tolerance=LOOSE)  # type: ignore[misc]
        for n in (0, 1, 2, 4)
    ),
    Univariate("special.polygamma", lambda x: torch.special.polygamma(1, x), lambda x: mp.psi(1, x), (0.5, 1.3), tolerance=LOOSE),
    Univariate("Tensor.polygamma", lambda x: x.polygamma(1), lambda x: mp.psi(1, x), (0.5, 1.3), tolerance=LOOSE),
    Univariate("multigammaln", lambda x: torch.special.multigammaln(x, 2), multigammaln, (0.9, 1.5, 4.0), tolerance=LOOSE),
    Univariate("mvlgamma", lambda x: torch.mvlgamma(x, 2), multigammaln, (0.9, 1.5, 4.0), tolerance=LOOSE),
    Univariate("zeta(2, x)", lambda x: torch.special.zeta(2.0, x), lambda x: mp.zeta(2, x), (0.6, 1.0, 3.2)),
    Univariate("gammainc(1.5, x)", lambda x: torch.special.gammainc(torch.tensor(1.5).to(x.dtype), x), lambda x: mp.gammainc(1.5, 0, x, regularized=True), (0.3, 1.4, 5.0)),
    Univariate("gammaincc(1.5, x)", lambda x: torch.special.gammaincc(torch.tensor(1.5).to(x.dtype), x), lambda x: mp.gammainc(1.5, x, mp.inf, regularized=True), (0.3, 1.4, 5.0)),
]

BESSEL = [
    *of("i0", lambda x: mp.besseli(0, x), *MIDDLE, 12.0),
    *of("i0e", lambda x: mp.exp(-abs(x)) * mp.besseli(0, x), -2.3, -0.7, 0.4, 1.9, 12.0),
    *of("i1", lambda x: mp.besseli(1, x), *MIDDLE, 12.0, 1e-3),
    *of("i1e", lambda x: mp.exp(-abs(x)) * mp.besseli(1, x), -2.3, -0.7, 0.4, 1.9, 12.0),
    *of("bessel_j0", lambda x: mp.besselj(0, x), *MIDDLE, 12.0, tolerance=LOOSE),
    *of("bessel_j1", lambda x: mp.besselj(1, x), *MIDDLE, 12.0, 1e-3, tolerance=LOOSE),
    *of("bessel_y0", lambda x: mp.bessely(0, x), 0.4, 1.9, 12.0, tolerance=LOOSE),
    *of("bessel_y1", lambda x: mp.bessely(1, x), 0.4, 12.0, tolerance=LOOSE),
    *of("modified_bessel_i0", lambda x: mp.besseli(0, x), *MIDDLE),
    *of("modified_bessel_i1", lambda x: mp.besseli(1, x), *MIDDLE),
    *of("modified_bessel_k0", lambda x: mp.besselk(0, x), 0.4, 1.9, 8.0),
    *of("modified_bessel_k1", lambda x: mp.besselk(1, x), 0.4, 8.0),
    *of("scaled_modified_bessel_k0", lambda x: mp.exp(x) * mp.besselk(0, x), 0.4, 1.9, 8.0),
    *of("scaled_modified_bessel_k1", lambda x: mp.exp(x) * mp.besselk(1, x), 0.4, 8.0),
    *of("spherical_bessel_j0", spherical_j0, -2.3, 0.0, 1e-3, 0.4, 5.0),
    *(line for n in (0, 1, 2, 5) for line in polynomials(n)),
    *of("airy_ai", mp.airyai, -2.0, 0.3, 1.5, refused="Ai′ is not in torch"),
]

RARE = "no derivative in torch"
POLYNOMIALS = [
    Univariate("chebyshev_polynomial_t", lambda x: torch.special.chebyshev_polynomial_t(x, 5), lambda x: mp.chebyt(5, x), UNIT, RARE),
    Univariate("chebyshev_polynomial_u", lambda x: torch.special.chebyshev_polynomial_u(x, 5), lambda x: mp.chebyu(5, x), UNIT, RARE),
    Univariate("hermite_polynomial_h", lambda x: torch.special.hermite_polynomial_h(x, 5), lambda x: mp.hermite(5, x), UNIT, RARE),
    Univariate("laguerre_polynomial_l", lambda x: torch.special.laguerre_polynomial_l(x, 5), lambda x: mp.laguerre(5, 0, x), UNIT, RARE),
    Univariate("legendre_polynomial_p", lambda x: torch.special.legendre_polynomial_p(x, 5), lambda x: mp.legendre(5, x), UNIT, RARE),
]

ACTIVATIONS = [
    *of("softplus", softplus, *MIDDLE, -15.0, 15.0),
    *of("logsigmoid", lambda x: -softplus(-x), *MIDDLE, -15.0, 15.0),
    *of("silu", lambda x: x * sigmoid(x), *MIDDLE, -15.0),
    *of("gelu", lambda x: x * mp.ncdf(x), *MIDDLE, -4.0),
    Univariate("gelu tanh", lambda x: F.gelu(x, approximate="tanh"), gelu_tanh, (*MIDDLE, -4.0)),
    *of("mish", lambda x: x * mp.tanh(softplus(x)), *MIDDLE, -15.0),
    *of("softsign", lambda x: x / (1 + abs(x)), *SIGNED),
    *of("tanhshrink", lambda x: x - mp.tanh(x), *MIDDLE),
]

POWERS = [
    *(Univariate(f"x ** {n}", lambda x, n=n: x**n, lambda x, n=n: x**n, MIDDLE) for n in (0, 1, 2, 3, 6)),  # type: ignore[misc]
    *(Univariate(f"x ** {n}", lambda x, n=n: x**n, lambda x, n=n: x**n, SIGNED) for n in (-1, -3)),  # type: ignore[misc]
    *(Univariate(f"x ** {a}", lambda x, a=a: x**a, lambda x, a=a: x ** mp.mpf(a), POSITIVE) for a in (0.5, -1.5, 2.7)),  # type: ignore[misc]
    Univariate("x ** x", lambda x: x**x, lambda x: x**x, POSITIVE),
    Univariate("2.5 ** x", lambda x: 2.5**x, lambda x: mp.mpf(2.5) ** x, MIDDLE),
    Univariate("1 / (1 + x²)", lambda x: 1 / (1 + x**2), lambda x: 1 / (1 + x**2), MIDDLE),
    Univariate("exp(-1 / x)", lambda x: torch.exp(-1 / x), lambda x: mp.exp(-1 / x), (0.2, 1.0, 5.0)),
    Univariate("atan2(x, 2)", lambda x: torch.atan2(x, torch.full_like(x, 2.0)), lambda x: mp.atan2(x, 2), MIDDLE),
    Univariate("hypot(x, 2)", lambda x: torch.hypot(x, torch.full_like(x, 2.0)), lambda x: mp.hypot(x, 2), MIDDLE),
]

TABLE: tuple[Univariate, ...] = (*ELEMENTARY, *STATISTICS, *GAMMA, *BESSEL, *POLYNOMIALS, *ACTIVATIONS, *POWERS)
