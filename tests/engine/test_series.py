"""Power series: coefficients against mpmath, computed when they are asked for and once."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import mpmath as mp
import pytest
import torch
from torch import Tensor

from apolar.engine import series
from apolar.engine.series import Elementwise, Scaled, Series, constant, dense, variable, where

ORDER = 8
MIDDLE = (-1.3, -0.4, 0.0, 0.6, 2.1)
POSITIVE = (0.2, 0.9, 3.5)

Line = tuple[Callable[[Any], Any], Callable[[Any], Any], tuple[float, ...]]

TABLE: dict[str, Line] = {
    "x": (lambda x: x, lambda x: x, MIDDLE),
    "2x − 3": (lambda x: 2 * x - 3, lambda x: 2 * x - 3, MIDDLE),
    "3 − x": (lambda x: 3 - x, lambda x: 3 - x, MIDDLE),
    "x·x": (lambda x: x * x, lambda x: x * x, MIDDLE),
    "x³": (lambda x: x**3, lambda x: x**3, MIDDLE),
    "x⁻²": (lambda x: x**-2, lambda x: x**-2, POSITIVE),
    "x^2.5": (lambda x: x**2.5, lambda x: x ** mp.mpf(2.5), POSITIVE),
    "x/4": (lambda x: x / 4, lambda x: x / 4, MIDDLE),
    "1/(1 + x²)": (lambda x: 1 / (1 + x * x), lambda x: 1 / (1 + x * x), MIDDLE),
    "sin x/(2 + cos x)": (
        lambda x: torch.sin(x) / (2 + torch.cos(x)),
        lambda x: mp.sin(x) / (2 + mp.cos(x)),
        MIDDLE,
    ),
    "exp": (torch.exp, mp.exp, MIDDLE),
    "log": (torch.log, mp.log, POSITIVE),
    "sqrt": (torch.sqrt, mp.sqrt, POSITIVE),
    "sin": (torch.sin, mp.sin, MIDDLE),
    "tan": (torch.tan, mp.tan, (-1.1, 0.0, 0.6)),
    "atan": (torch.atan, mp.atan, MIDDLE),
    "asinh": (torch.asinh, mp.asinh, MIDDLE),
    "tanh": (torch.tanh, mp.tanh, MIDDLE),
    "tanh²": (lambda x: (t := torch.tanh(x)) * t, lambda x: mp.tanh(x) ** 2, MIDDLE),
    "erf": (torch.erf, mp.erf, MIDDLE),
    "sigmoid": (torch.sigmoid, lambda x: 1 / (1 + mp.exp(-x)), MIDDLE),
    "exp(−x²)": (lambda x: torch.exp(-(x * x)), lambda x: mp.exp(-(x**2)), MIDDLE),
    "sin(exp x)": (lambda x: torch.sin(torch.exp(x)), lambda x: mp.sin(mp.exp(x)), MIDDLE),
    "x·log x": (lambda x: x * torch.log(x), lambda x: x * mp.log(x), POSITIVE),
    "exp(tanh(sin x))": (
        lambda x: torch.exp(torch.tanh(torch.sin(x))),
        lambda x: mp.exp(mp.tanh(mp.sin(x))),
        MIDDLE,
    ),
    "one branch or the other": (
        lambda x: where(x > 0.3, torch.sin(x), torch.exp(x)),
        lambda x: mp.sin(x) if x > 0.3 else mp.exp(x),
        MIDDLE,
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_coefficients_agree_with_mpmath(name: str) -> None:
    function, exact, points = TABLE[name]
    found = function(variable(torch.tensor(points, dtype=torch.float64)))
    with mp.workdps(40):
        expected = [[float(c) for c in mp.taylor(exact, mp.mpf(p), ORDER)] for p in points]
    for k, column in enumerate(zip(*expected, strict=True)):
        coefficient = torch.as_tensor(dense(found[k]), dtype=torch.float64).expand(len(points))
        assert torch.allclose(coefficient, torch.tensor(column, dtype=torch.float64), rtol=1e-11, atol=1e-12), k


# ----------------------------------------------------------------------------------------------------------------- lazy


def counted(coefficient: Callable[[int], Any] = lambda k: 1.0 / (k + 1)) -> tuple[Series, list[int]]:
    """A series, and the list of the coefficients that it was asked to compute."""
    asked: list[int] = []

    def compute(_: Series, k: int) -> Any:
        asked.append(k)
        return torch.tensor(coefficient(k), dtype=torch.float64)

    return Series(compute), asked


LAZY: dict[str, Callable[[Series], Series]] = {
    "itself": lambda s: s,
    "a sum": lambda s: s + 2 * s - 1,
    "a product": lambda s: s * (s + 1),
    "a square": lambda s: s * s,
    "a quotient": lambda s: (1 + s) / (2 + s),
    "tanh": torch.tanh,
    "a chain": lambda s: torch.sin(torch.exp(s)),
    "where": lambda s: where(torch.tensor(True), s, torch.exp(s)),
}


@pytest.mark.parametrize("name", LAZY)
@pytest.mark.parametrize("k", [0, 1, 4])
def test_coefficient_k_needs_no_later_one_and_each_is_computed_once(name: str, k: int) -> None:
    z, asked = counted()
    result = LAZY[name](z)
    assert asked == []
    for _ in range(2):
        for i in reversed(range(k + 1)):
            result[i]
    assert asked == list(range(k + 1))


def test_the_function_is_evaluated_once() -> None:
    calls: list[Tensor] = []

    def function(x: Tensor) -> Tensor:
        calls.append(x)
        return torch.exp(x)

    rule = Elementwise(function, derivative=lambda y, x: y)
    x = torch.tensor([0.0, 1.0], dtype=torch.float64)
    y = rule(variable(x))
    assert calls == []
    assert torch.allclose(dense(y[5]), torch.exp(x) / math.factorial(5))
    assert torch.equal(y.value, torch.exp(x))
    assert len(calls) == 1


def test_one_function_of_one_series_is_one_series() -> None:
    z = variable(torch.tensor(0.3))
    assert torch.sin(z) is torch.sin(z)
    assert torch.sin(z) is not torch.cos(z)
    assert z**2 is z**2
    assert z**2 is not z**3
    assert torch.sin(z) is not torch.sin(variable(torch.tensor(0.3)))


def test_parameters_and_options_are_passed_to_function_and_derivative() -> None:
    """φ = exp(a x) + b."""
    rule = Elementwise(lambda x, a, b=0.0: torch.exp(a * x) + b, derivative=lambda y, x, a, b=0.0: a * (y - b))
    z = variable(torch.tensor(0.5, dtype=torch.float64))
    found = rule(z, 3.0, b=7.0)
    expected = [math.exp(1.5) + 7, *(3.0**k * math.exp(1.5) / math.factorial(k) for k in range(1, 6))]
    assert [float(dense(found[k])) for k in range(6)] == pytest.approx(expected, rel=1e-14)
    assert float(dense(rule(z, 2.0)[1])) == pytest.approx(2 * math.exp(1.0), rel=1e-14)


def test_formulas_are_said_in_other_functions() -> None:
    rule = Elementwise(lambda x: torch.sin(x) ** 2, formula=lambda x: torch.sin(x) * torch.sin(x))
    found = rule(variable(torch.tensor(0.4, dtype=torch.float64)))
    assert [float(dense(found[k])) for k in range(3)] == pytest.approx(
        [math.sin(0.4) ** 2, math.sin(0.8), math.cos(0.8)]
    )


def test_derivatives_that_end_cost_no_tensors() -> None:
    """The third coefficient of x² is the number 0, not a tensor of zeros."""
    z = variable(torch.ones(3))
    assert (z * z)[3] == 0
    assert (z + z)[2] == 0
    assert constant(torch.ones(3))[1] == 0
    assert (2 * z)[1] == 2


# ------------------------------------------------------------------------------------------------- numbers and tensors

T = torch.tensor([1.5, -2.0], dtype=torch.float64)
VALUES: dict[str, Any] = {
    "0": 0,
    "2": 2,
    "−0.5": -0.5,
    "tensor": T,
    "3·tensor": Scaled(3, T * T),
    "−tensor": Scaled(-1, T),
}
PAIRS = list(itertools.product(VALUES, repeat=2))


def number(a: Any) -> Tensor:
    return torch.as_tensor(dense(a), dtype=torch.float64).expand(2)


@pytest.mark.parametrize("left, right", PAIRS)
def test_plus_and_times(left: str, right: str) -> None:
    a, b = VALUES[left], VALUES[right]
    assert torch.allclose(number(series.plus(a, b)), number(a) + number(b))
    assert torch.allclose(number(series.times(a, b)), number(a) * number(b))


@pytest.mark.parametrize("name", VALUES)
def test_zero_and_one_cost_nothing(name: str) -> None:
    a = VALUES[name]
    assert series.plus(a, 0) is a
    assert series.plus(0, a) is a
    assert series.times(a, 0) == 0
    assert torch.equal(number(series.times(1, a)), number(a))


def test_products_of_pairs_are_summed() -> None:
    pairs = [(2, T), (T, T), (0, T), (Scaled(0.5, T), 3)]
    assert torch.allclose(number(series.inner(pairs)), 2 * T + T * T + 1.5 * T)
    assert series.inner([]) == 0


def test_branches() -> None:
    condition = torch.tensor([True, False])
    z = variable(T)
    assert torch.equal(where(condition, z, 2.0)[0], torch.tensor([1.5, 2.0], dtype=torch.float64))
    assert torch.equal(where(condition, z, 2.0)[1], torch.tensor([1.0, 0.0], dtype=torch.float64))
    assert where(condition, z, z + 1)[1] == 1, "equal numbers stay a number"


COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
}


@pytest.mark.parametrize("name", COMPARISONS)
def test_series_compare_by_value(name: str) -> None:
    compare = COMPARISONS[name]
    for other in (1.5, 0.0, T.flip(0)):
        assert torch.equal(compare(variable(T), other), compare(T, other))
