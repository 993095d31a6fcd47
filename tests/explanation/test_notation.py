"""How numbers, names and formulas are written: read back, they are what was written."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import pytest
import sympy
import torch
from hypothesis import given
from hypothesis import strategies as st
from latex2mathml.converter import convert

from apolar.explanation.notation import (
    ENTRIES,
    Formula,
    Term,
    adjoint,
    array,
    exact,
    in_numbers,
    named,
    number,
    parenthesized,
    written,
)

X, Y = sympy.symbols("x y", real=True)
NAMES = {X: Formula("v₁", "v_{1}"), Y: Formula("y", "y")}


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12))
def test_numbers_are_right_to_six_decimals_or_digits(value: float) -> None:
    assert float(number(value)) == pytest.approx(value, rel=5.1e-7, abs=5.1e-7 if abs(value) >= 1e-4 else 0)


@pytest.mark.parametrize("value, text", [(math.inf, "inf"), (-math.inf, "-inf"), (math.nan, "nan"), (-0.0, "0")])
def test_special_numbers(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    "expression, plain",
    [
        (X**2, "v₁²"),
        (2 * X, "2·v₁"),
        (-sympy.sin(X), "-sin(v₁)"),
        (sympy.sqrt(X), "sqrt(v₁)"),
        (1 / X**2, "1/v₁²"),
        (1 / sympy.sqrt(X), "1/sqrt(v₁)"),
        (X**Y, "v₁^y"),
        ((X + 1) ** 3, "(v₁ + 1)³"),
        (sympy.exp(-X), "exp(-v₁)"),
        (sympy.Float(0.044715) * X, "0.044715·v₁"),
        (sympy.Abs(X) / Y, "|v₁|/y"),
        (2 * X / (Y + 1), "2·v₁/(y + 1)"),
        (X ** sympy.Rational(2, 3), "v₁^(2/3)"),
        (Y - X, "y - v₁"),
        (X - Y, "v₁ - y"),
        (-X - Y, "-v₁ - y"),
        (sympy.digamma(X), "digamma(v₁)"),
        (sympy.loggamma(X) + sympy.polygamma(2, X), "lgamma(v₁) + polygamma(2, v₁)"),
    ],
)
def test_formulas_in_plain_text(expression: sympy.Expr, plain: str) -> None:
    assert written(expression, NAMES).plain == plain


def test_negative_factors_have_parentheses_once() -> None:
    values = {X: torch.tensor(-0.5), Y: torch.tensor(2.0)}
    assert in_numbers(X * Y, values).plain == "(-0.5)·2"
    assert in_numbers(sympy.exp(X), values).plain == "exp(-0.5)"
    assert in_numbers(X**2, values).plain == "(-0.5)²"
    assert parenthesized(-sympy.sin(X), NAMES).plain == "(-sin(v₁))"
    assert parenthesized(2 * X, NAMES).plain == "2·v₁"


@pytest.mark.parametrize(
    "name, plain, latex",
    [
        ("x", "x", "x"),
        ("x12", "x₁₂", "x_{12}"),
        ("alpha", "alpha", r"\alpha"),
        ("speed", "speed", r"\mathrm{speed}"),
        ("x_1", "x_1", r"\mathrm{x\_1}"),
    ],
)
def test_names(name: str, plain: str, latex: str) -> None:
    assert named(name) == Formula(plain, latex)
    assert adjoint(named(name)).plain == plain[0] + "\u0304" + plain[1:]


@pytest.mark.parametrize("shape", [(), (3,), (9,), (2, 2), (7, 9), (2, 3, 4), (3, 3, 3, 3), (9,) * 4, (0,)])
def test_arrays_are_abbreviated_and_valid(shape: tuple[int, ...]) -> None:
    formula = array(torch.arange(math.prod(shape), dtype=torch.float64).reshape(shape) / 7)
    assert ("…" in formula.plain) == any(size > ENTRIES.get(len(shape), 2) for size in shape)
    assert formula.plain.count(".") <= 27
    ET.fromstring(convert(formula.latex))


@pytest.mark.parametrize("value", [0.1, 1 / 3, 2, 2.5, math.pi, math.e, 0.044715, 1e-9, True])
def test_numbers_for_sympy_lose_nothing(value: float) -> None:
    assert float(exact(value)) == value


def test_terms_read_as_formulas() -> None:
    g, x, y = (Term.of(Formula(letter, letter)) for letter in "gxy")
    assert (g @ x.mT).plain == "g·xᵀ"
    assert (y * (g - (g * y).sum(-1, keepdim=True))).plain == "y ⊙ (g - Σ(g ⊙ y))"
    assert (2 * g / 3 @ x).plain == "2·g/3·x"
    assert g.outer(x).plain == "g·xᵀ"
    assert (g + x).formula().latex == "g + x"
