"""Expressions computed with tensors: mpmath agrees, numbers stay numbers, and the unknown is an error."""

from __future__ import annotations

import pytest
import sympy
import torch
from hypothesis import given
from hypothesis import strategies as st

from apolar.explanation.compute import compute

U, W = sympy.symbols("u w", real=True)

LEAVES = st.sampled_from([U, W, sympy.Integer(2), sympy.Rational(-1, 3), sympy.Float(0.7), sympy.pi])


def _combined(parts):
    pairs = st.tuples(parts, parts)
    return st.one_of(
        pairs.map(lambda p: p[0] + p[1]),
        pairs.map(lambda p: p[0] * p[1]),
        pairs.map(lambda p: p[0] / (p[1] ** 2 + 1)),
        parts.map(lambda p: -p),
        parts.map(sympy.sin),
        parts.map(sympy.tanh),
        parts.map(lambda p: sympy.sqrt(p**2 + 1)),
    )


@given(st.recursive(LEAVES, _combined, max_leaves=8))
def test_any_expression_has_its_value(expression: sympy.Expr) -> None:
    values = {U: 0.6, W: -1.3}
    found = compute(expression, {s: torch.tensor(v, dtype=torch.float64) for s, v in values.items()})
    expected = expression.subs({s: sympy.Float(v, 30) for s, v in values.items()}).evalf(30)
    assert float(found) == pytest.approx(float(expected), rel=1e-11, abs=1e-12)
    assert isinstance(found, torch.Tensor) == bool(expression.free_symbols)


def test_two_numbers_are_chosen_in_double_precision() -> None:
    expression = sympy.Piecewise((1, U > 0), (sympy.Rational(1, 100), True))
    assert compute(expression, {U: torch.tensor(-1.0, dtype=torch.float64)}).item() == 0.01


def test_what_torch_does_not_have_is_an_error() -> None:
    u = sympy.Symbol("u")
    with pytest.raises(KeyError):
        compute(sympy.zeta(u), {u: torch.ones(())})
