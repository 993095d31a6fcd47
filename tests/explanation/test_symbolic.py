"""SymPy's formulas: right, simplified, and left out where there is none or where they do not hold."""

from __future__ import annotations

import time

import pytest
import sympy
import torch

import apolar as ap


@pytest.mark.parametrize(
    "f, x, formula",
    [
        (lambda x: torch.cos(x**2), 0.5, "-2*x*sin(x**2)"),
        (lambda x: torch.sigmoid(x), 0.5, "exp(-x)/(1 + exp(-x))**2"),
        (lambda x: x.relu() ** 2, 0.5, "2*x"),
        (lambda x: (x.abs() * 3).exp() / 3, -0.5, "-exp(-3*x)"),
        (lambda x: torch.nn.functional.softplus(x), torch.ones(3, dtype=torch.float64), "1/(1 + exp(-x))"),
    ],
)
def test_functions_of_python(f, x, formula) -> None:
    found = next(s for s in ap.explain(f, x).symbolic if s.by == ("x",))
    points = [0.3, 1.2] if "abs" not in formula and x is not None and torch.as_tensor(x).min() > 0 else [-0.3, -1.2]
    names = {"x": sympy.Symbol("x", real=True)}
    difference = sympy.sympify(found.text, names) - sympy.sympify(formula, names)
    assert [float(difference.subs(names["x"], p).doit()) for p in points] == pytest.approx([0, 0], abs=1e-14)


@pytest.mark.parametrize("f", [lambda x: x.sum(), lambda x: x @ x, torch.linalg.det, lambda x: x[0]])
def test_none_where_sympy_has_no_word(f) -> None:
    assert ap.explain(f, torch.eye(2, dtype=torch.float64)).symbolic == ()


def test_a_formula_that_does_not_hold_at_the_point_is_left_out() -> None:
    """At 0, SymPy's sign(x)/2 + 1/2 is ½, and the derivative of relu is taken as 0."""
    assert [s.by for s in ap.explain(torch.relu, 0.0).symbolic] == [()]


def test_long_formulas_are_left_out() -> None:
    text = "*".join(f"sin({k}*x)*exp(x^{k})*log(x + {k})" for k in range(1, 8))
    assert ("x",) not in [s.by for s in ap.explain(text, x=0.5).symbolic]


def test_a_formula_that_grows_in_a_loop_is_given_up_early() -> None:
    def logistic(x):
        for _ in range(40):
            x = 3.7 * x * (1 - x)
        return x

    assert ap.explain(logistic, 0.4).symbolic == ()


@pytest.mark.parametrize("text", ["sin(1e6*x)", "tan(1e5*x)^2*cos(99991*x)", "(1 + x + x^2)^300*sin(500*x)"])
def test_a_simplification_that_does_not_end_is_left_out(text: str) -> None:
    start = time.monotonic()
    explanation = ap.explain(text, x=0.3, order=2)
    assert time.monotonic() - start < 10
    assert explanation.derivatives["x", "x"].isfinite()
