"""Elementwise functions of several arguments, said in the words of others."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from apolar.engine import series
from apolar.engine.context import values_decide
from apolar.engine.jet import RULES, Jet, anywhere, belongs, component_list, unsupported, value
from apolar.rules.components import stack
from apolar.rules.elementwise import torch_polygamma
from apolar.rules.products import beside, moves, promoted, singular
from apolar.rules.record import Entries, Kind
from apolar.rules.registry import composite, elementwise, rule


@rule("polygamma", kind=Kind.ELEMENTWISE, entries=Entries.APART)
def polygamma(jet: Jet, func: Any, n: Any, x: Any) -> Any:
    n, x = (x, n) if isinstance(n, Tensor) else (n, x)
    return RULES[torch_polygamma](jet, torch_polygamma, x, n)


series.FUNCTIONS[torch.polygamma] = lambda n, x: torch_polygamma(x, n)


@composite("multigammaln", "mvlgamma")
def multigammaln(x: Any, p: int) -> Any:
    """log Γₚ(x) = p(p−1)/4 log π + Σ log Γ(x − i/2)."""
    total = torch.lgamma(x)
    for i in range(1, p):
        total = total + torch.lgamma(x - i / 2)
    return total + p * (p - 1) / 4 * math.log(math.pi)


def zeta_at(q: Any, s: Any) -> Any:
    """Hurwitz's ζ(s, q), with the argument that has derivatives first."""
    return series.FUNCTIONS[zeta_at](q, s) if isinstance(q, series.Series) else torch.special.zeta(s, q)


elementwise(zeta_at, derivative=lambda y, q, s: zeta_at(q, s + 1) * -s)


@rule("zeta", kind=Kind.ELEMENTWISE, entries=Entries.APART)
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
    @rule(name, alias, kind=Kind.ELEMENTWISE, entries=Entries.APART)
    def incomplete(jet: Jet, func: Any, a: Any, x: Any) -> Any:
        if belongs(a, jet):
            raise unsupported(func, jet, "Its derivatives exist in the second argument only.")
        x = x.expand(torch.broadcast_shapes(x.shape, a.shape))
        return RULES[function](jet, function, x, a)


_incomplete("gammainc", "igamma", gammainc_at)
_incomplete("gammaincc", "igammac", gammaincc_at)


@rule("atan2", "arctan2", entries=Entries.APART)
def atan2(jet: Jet, func: Any, y: Any, x: Any) -> Any:
    """The angle at the value, plus the small angle in axes turned by it, where atan has no branch to choose."""
    angle = torch.atan2(value(y, jet), value(x, jet))
    c, s = torch.cos(angle), torch.sin(angle)
    return angle + torch.atan((y * c - x * s) / (x * c + y * s))


@rule("hypot", entries=Entries.APART)
def hypot(jet: Jet, func: Any, x: Any, y: Any) -> Jet:
    """h with h² = x² + y², one component after the other; divided by h₀ before squares leave the range of numbers."""
    xs, ys = component_list(x, jet), component_list(y, jet)
    h = [torch.hypot(xs[0], ys[0])]
    cos, sin = xs[0] / h[0], ys[0] / h[0]
    for k, terms in enumerate(jet.algebra.nilpotent[1:], start=1):
        rest = sum(c / 2 * (xs[i] / h[0] * xs[j] + ys[i] / h[0] * ys[j] - h[i] / h[0] * h[j]) for i, j, c in terms)
        h.append(cos * xs[k] + sin * ys[k] + rest)
    return stack(h, jet)


@rule("xlogy", "xlog1py", entries=Entries.APART)
def xlogy(jet: Jet, func: Any, x: Any, y: Any) -> Any:
    """x log y or x log(1 + y), and 0 where x is 0 and the logarithm is not finite."""
    shift = 1 if "1p" in func.__name__ else 0
    x, y = beside(x, jet), beside(y, jet)
    x, y = promoted(x, y), promoted(y, x)
    at_y = value(y, jet) + shift
    limit = (value(x, jet) == 0) & ((at_y <= 0) | (at_y == math.inf))
    inside = torch.where(limit, 1.0 - shift, y)
    out = x * (torch.log1p(inside) if shift else torch.log(inside))
    if not belongs(x, jet) or (values_decide() and not anywhere(limit)):
        return out
    # As in torch, a logarithm that stays −∞ counts as 0; but where y moves with x to 0, x log y is steep.
    log = torch.where(at_y == math.inf, math.inf, torch.where((at_y == 0) & moves(y, jet), -math.inf, 0.0))
    slope = torch.where(limit, log, 0.0)
    return out + singular(x, slope, torch.where(slope.isinf() & moves(x, jet), math.nan, 0.0))


def entropy(x: Any) -> Any:
    """−x log x of positive numbers."""
    return RULES[entropy](x, entropy, x) if isinstance(x, Jet) else torch.special.entr(x)


elementwise(entropy, derivative=lambda y, x: -torch.log(x) - 1)


@rule("entr", kind=Kind.ELEMENTWISE, entries=Entries.APART)
def entr(jet: Jet, func: Any, x: Jet) -> Jet:
    """−x log x with the derivative −log x − 1 where x is positive, −∞ where it is negative."""
    positive = x.value > 0
    inside: Any = entropy(torch.where(positive, x, 1.0))
    if values_decide() and not anywhere(~positive):
        return inside
    limit = jet.like(torch.cat([func(x.value).unsqueeze(0), -xlogy(jet, torch.xlogy, x, x).components[1:]]))
    chosen: Any = torch.where(positive, inside, limit)
    return chosen


@composite("ldexp")
def ldexp(x: Any, exponent: Any) -> Any:
    return x * torch.pow(2.0, exponent)


@rule("frexp", kind=Kind.ELEMENTWISE, entries=Entries.APART)
def frexp(jet: Jet, func: Any, x: Jet) -> Any:
    """Mantissa x/2ⁿ and exponent n, which is constant on each piece."""
    mantissa, exponent = func(x.value)
    scaled = torch.ldexp(x.components[1:], -exponent)
    return torch.return_types.frexp((jet.like(torch.cat([mantissa.unsqueeze(0), scaled])), exponent))


@rule("nextafter", entries=Entries.APART)
def nextafter(jet: Jet, func: Any, x: Any, y: Any) -> Any:
    """x but for its last digit, and y where both are equal."""
    at_x, at_y = value(x, jet), value(y, jet)
    moved: Any = torch.where(at_x != at_y, x, 0.0)
    at = func(at_x.detach(), at_y.detach())
    step = at - value(moved, jet).detach()  # exact; PyTorch 2.8 has no derivative of nextafter
    at = torch.where(step.isfinite(), value(moved, jet) + step, at)
    return jet.like(torch.cat([at.unsqueeze(0), moved.components[1:]])) if belongs(moved, jet) else at
