"""Compositions with power series by recurrence: against powers of the nilpotent part, against mpmath, and in reverse mode."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath as mp
import pytest
import torch
from torch import Tensor

import apolar as ap
from apolar.engine import series
from apolar.kernels import composition, eager
from apolar.kernels.composition import Composition
from tests.rules.tables.univariate import TABLE, Univariate

NEVER = 10**9
(ds,) = ap.coordinates("s")
dx, dy = ap.coordinates("x y")


@pytest.mark.parametrize(
    ("operators", "univariate"),
    [((ds**5,), True), ((dx**4,), True), (((dx + 2 * dy) ** 3,), True), ((dx, dy), False), ((dx**2 + dy**2,), False)],
    ids=str,
)
def test_which_algebras_are_univariate(operators: tuple[ap.Operator, ...], univariate: bool) -> None:
    assert ap.algebra(*operators).univariate == univariate


@pytest.mark.parametrize("order", [6, 12])
@pytest.mark.parametrize("line", TABLE, ids=str)
def test_agrees_with_powers(line: Univariate, order: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """φ(x + (x − p)²/4) at p, for every function of the tables."""
    p = torch.tensor(line.points, dtype=torch.float64)

    def coefficients(since: int) -> list[Tensor]:
        monkeypatch.setattr(composition, "RECURRENT", since)
        derivatives = ap.taylor(lambda x: line.function(x + (x - p) ** 2 / 4), order)(p)
        return [y / float(math.factorial(k)) for k, y in enumerate(derivatives)]

    try:
        with ap.settings(kernels="eager"):
            expected, found = coefficients(NEVER), coefficients(1)
    except ap.UnsupportedOperator:
        pytest.skip("refused")
    size = torch.ones_like(p)
    for a, b in zip(found, expected, strict=True):
        size = torch.maximum(size, b.abs())
        assert torch.allclose(a / size, b / size, rtol=0, atol=max(1e-10, line.tolerance), equal_nan=True)


EXACT: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], float]] = {
    "exp(sin x)": (lambda x: torch.exp(torch.sin(x)), lambda x: mp.exp(mp.sin(x)), 0.4),
    "tanh(sin x · exp(−x)) + 1/(1 + x²)": (
        lambda x: torch.tanh(torch.sin(x) * torch.exp(-x)) + 1 / (1 + x * x),
        lambda x: mp.tanh(mp.sin(x) * mp.exp(-x)) + 1 / (1 + x * x),
        0.3,
    ),
    "√(2 + cos x)": (lambda x: torch.sqrt(2 + torch.cos(x)), lambda x: mp.sqrt(2 + mp.cos(x)), 0.7),
    "log(3 + sin x)": (lambda x: torch.log(3 + torch.sin(x)), lambda x: mp.log(3 + mp.sin(x)), -0.2),
    "(2 + sin x)^2.5": (lambda x: (2 + torch.sin(x)) ** 2.5, lambda x: (2 + mp.sin(x)) ** mp.mpf(2.5), 0.5),
    "(2 + sin x)^−3": (lambda x: (2 + torch.sin(x)) ** -3, lambda x: (2 + mp.sin(x)) ** -3, 0.5),
    "atan(exp x)": (lambda x: torch.atan(torch.exp(x)), lambda x: mp.atan(mp.exp(x)), 0.1),
    "erf(sin x)": (lambda x: torch.erf(torch.sin(x)), lambda x: mp.erf(mp.sin(x)), 0.6),
    "σ(x²)": (lambda x: torch.sigmoid(x * x), lambda x: 1 / (1 + mp.exp(-x * x)), 0.8),
}


@pytest.mark.parametrize(("shape", "kernels"), [((), "eager"), ((3,), "compiled"), ((5, 400), "eager")], ids=str)
@pytest.mark.parametrize("name", EXACT)
def test_thirty_orders_agree_with_mpmath(name: str, shape: tuple[int, ...], kernels: Any) -> None:
    """To 1e-12 of the size that coefficients of this radius of convergence have."""
    function, exact, point = EXACT[name]
    with mp.workdps(60):
        expected = [float(c) for c in mp.taylor(exact, mp.mpf(point), 30)]
    with ap.settings(kernels=kernels):
        found = ap.taylor(function, 30)(torch.full(shape, point, dtype=torch.float64))
    growth = max(abs(c) ** (1 / k) for k, c in enumerate(expected[10:], start=10))
    for k, (y, c) in enumerate(zip(found, expected, strict=True)):
        assert y.shape == shape
        assert (
            (y / float(math.factorial(k)) - c).abs() <= 1e-12 * max(abs(c), growth**k, 1.0 if k < 10 else 0.0)
        ).all(), k


REVERSE = {"exp": torch.exp, "sin": torch.sin, "tanh": torch.tanh, "sqrt": torch.sqrt, "square": torch.square}


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128], ids=str)
@pytest.mark.parametrize("function", REVERSE)
def test_reverse_mode(function: str, dtype: torch.dtype) -> None:
    """Once and twice, and the pass that nobody records as the recorded one."""
    algebra = ap.algebra(ds**7)
    whole = Composition(algebra, series.Expansion(series.FUNCTIONS[REVERSE[function]]))  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(0)
    g = 0.3 * torch.randn(algebra.size, 2, dtype=dtype, generator=generator)
    g[0] += 1
    w = torch.randn(algebra.size, 2, dtype=dtype, generator=generator)
    leaf = g.clone().requires_grad_()
    (recorded,) = torch.autograd.grad(whole(leaf), leaf, w)
    with torch.no_grad():
        (found,) = whole.pull_back(g, w)
    assert torch.allclose(found, recorded, rtol=1e-11, atol=1e-11)
    assert torch.autograd.gradcheck(lambda a, b: whole.pull_back(a, b)[0], (leaf, w.clone().requires_grad_()))


@pytest.mark.parametrize("algebra", [ap.algebra(ds**9), ap.algebra((dx**2 + dy**2) ** 2, dx)], ids=str)
def test_small_products_at_once_are_those_in_place(algebra: ap.Algebra, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    g, h = (torch.randn(algebra.size, 3, dtype=torch.float64, generator=generator) for _ in range(2))
    h[2, 1] = torch.inf  # does not reach the components before it
    found = eager.multiplied(algebra, g, h), eager.dual_product(algebra, g, h)
    quotient = eager.quotient(algebra, h.unbind(0), g)
    monkeypatch.setattr(eager, "FEW", -1)
    expected = eager.multiplied(algebra, g, h), eager.dual_product(algebra, g, h)
    for a, b in zip(found, expected, strict=True):
        assert torch.allclose(a, b, rtol=1e-13, atol=1e-13, equal_nan=True)
        assert torch.isfinite(a[:, 0]).all()
    assert torch.isfinite(found[0][:2]).all()
    assert torch.allclose(quotient, eager.quotient(algebra, h.unbind(0), g), rtol=1e-9, equal_nan=True)
