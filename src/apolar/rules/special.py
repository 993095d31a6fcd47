"""Elementwise functions of several arguments, said in the words of others."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from apolar import series
from apolar.jet import RULES, Jet, belongs, unsupported, value
from apolar.rules.elementwise import polygamma_at
from apolar.rules.registry import composite, elementwise, rule


@rule("polygamma", kind="elementwise")
def polygamma(jet: Jet, func: Any, n: Any, x: Any) -> Any:
    n, x = (x, n) if isinstance(n, Tensor) else (n, x)
    return RULES[polygamma_at](jet, polygamma_at, x, n)


series.FUNCTIONS[torch.polygamma] = lambda n, x: polygamma_at(x, n)


@composite("multigammaln", "mvlgamma")
def multigammaln(x: Any, p: int) -> Any:
    """log Γₚ(x) = p(p−1)/4 log π + Σ log Γ(x − i/2)."""
    total = torch.lgamma(x)
    for i in range(1, p):
        total = total + torch.lgamma(x - i / 2)
    return total + p * (p - 1) / 4 * math.log(math.pi)


def zeta_at(q: Any, s: Any) -> Any:
    """Hurwitz's ζ(s, q), with the argument that has derivatives first."""
    return torch.special.zeta(s, q) if isinstance(q, Tensor) else series.FUNCTIONS[zeta_at](q, s)


elementwise(zeta_at, derivative=lambda y, q, s: zeta_at(q, s + 1) * -s)


@rule("zeta", kind="elementwise")
def zeta(jet: Jet, func: Any, s: Any, q: Any) -> Any:
    if belongs(s, jet):
        raise unsupported(func, jet, "Its derivatives exist in the second argument only.")
    return RULES[zeta_at](jet, zeta_at, q, s)


def gammainc_at(x: Any, a: Any) -> Any:
    """P(a, x), with the argument that has derivatives first."""
    return torch.special.gammainc(a, x)


def gammaincc_at(x: Any, a: Any) -> Any:
    """Q(a, x) = 1 − P(a, x)."""
    return torch.special.gammaincc(a, x)


def _gamma_density(x: Any, a: Any) -> Any:
    """xᵃ⁻¹ e⁻ˣ / Γ(a)."""
    return torch.exp(torch.log(x) * (a - 1) - x - torch.lgamma(a))


elementwise(gammainc_at, derivative=lambda y, x, a: _gamma_density(x, a))
elementwise(gammaincc_at, derivative=lambda y, x, a: -_gamma_density(x, a))


def _incomplete(name: str, alias: str, function: Any) -> None:
    @rule(name, alias, kind="elementwise")
    def incomplete(jet: Jet, func: Any, a: Any, x: Any) -> Any:
        if belongs(a, jet):
            raise unsupported(func, jet, "Its derivatives exist in the second argument only.")
        x = x.expand(torch.broadcast_shapes(x.shape, a.shape))
        return RULES[function](jet, function, x, a)


_incomplete("gammainc", "igamma", gammainc_at)
_incomplete("gammaincc", "igammac", gammaincc_at)


@rule("atan2", "arctan2", kind="composite")
def atan2(jet: Jet, func: Any, y: Any, x: Any) -> Any:
    """The angle at the value, plus the small angle in axes turned by it, where atan has no branch to choose."""
    angle = torch.atan2(value(y, jet), value(x, jet))
    c, s = torch.cos(angle), torch.sin(angle)
    return angle + torch.atan((y * c - x * s) / (x * c + y * s))


@composite("hypot")
def hypot(x: Any, y: Any) -> Any:
    return torch.sqrt(x * x + y * y)


@rule("xlogy", "xlog1py", kind="composite")
def xlogy(jet: Jet, func: Any, x: Any, y: Any) -> Any:
    """x log y or x log(1 + y), and 0 where x is 0 and the logarithm is not finite."""
    shift = 1 if "1p" in func.__name__ else 0
    x, y = (a if isinstance(a, Tensor) else torch.as_tensor(a, dtype=jet.dtype, device=jet.device) for a in (x, y))
    y = torch.where((value(x, jet) == 0) & (value(y, jet) + shift == 0), 1.0 - shift, y)
    return x * (torch.log1p(y) if shift else torch.log(y))


@composite("ldexp")
def ldexp(x: Any, exponent: Any) -> Any:
    return x * torch.pow(2.0, exponent)
