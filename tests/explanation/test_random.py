"""Random formulas: the derivatives against mpmath, and every printed formula read back against its number."""

from __future__ import annotations

import json
import re

import mpmath
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import apolar as ap
from tests.explanation.reading import read, typed

ONE = (
    "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "exp", "expm1",
    "log", "log2", "log10", "log1p", "sqrt", "cbrt", "abs", "sign", "erf", "erfc", "lgamma", "digamma", "sigmoid",
    "softplus", "relu", "gelu", "silu",
)  # fmt: skip

POINT = {"x": 0.57, "y": 1.31, "theta": -0.43}

LEAVES = st.sampled_from([*POINT, *POINT, "2", "0.5", "0.1", "pi", "1/3"])


def _combined(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    exponent = st.sampled_from(["2", "3", "(-2)", "(-1)", "0.5", "(1/3)", "(-0.5)", "1.5", "x"])
    return st.one_of(
        st.builds("{}({})".format, st.sampled_from(ONE), parts),
        st.builds("({}){}({})".format, parts, st.sampled_from("+-*/"), parts),
        st.builds("({})^{}".format, parts, exponent),
        st.builds("({0})*({0})".format, parts),
        st.builds("-({})".format, parts),
        st.builds("{}({}, {})".format, st.sampled_from(["max", "min", "atan2"]), parts, parts),
    )


def close(found: float, expected: object) -> bool:
    return abs(found - expected) <= 1e-7 * max(1, abs(expected))  # torch.polygamma has some ten digits


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.recursive(LEAVES, _combined, max_leaves=5), st.integers(1, 2))
@mpmath.workdps(40)
def test_every_printed_formula_is_its_number(text: str, order: int) -> None:
    point = {name: value for name, value in POINT.items() if re.search(rf"\b{name}\b", text)}
    assume(point)
    function = typed(text)
    exact = {name: mpmath.mpf(value) for name, value in point.items()}
    try:
        value = function(**exact)
        near = function(**{name: x + mpmath.mpf("1e-9") for name, x in exact.items()})
        assume(isinstance(value, mpmath.mpf) and 1e-6 < abs(value) < 1e6 and abs(near - value) < 1e-5)
    except (ValueError, ZeroDivisionError, TypeError, OverflowError):
        assume(False)
    try:
        explanation = ap.explain(text, point, order)
    except (ap.ExpressionError, ap.VerificationError):  # parts that are not numbers, and kinks
        assume(False)
    data = json.loads(explanation.to_json())
    assume("nan" not in explanation.to_json() and '"inf"' not in explanation.to_json())
    for found in data["derivatives"]:
        orders = tuple(found["by"].count(name) for name in point)
        expected = mpmath.diff(lambda *x: function(**dict(zip(point, x))), tuple(exact.values()), orders)
        if isinstance(expected, mpmath.mpf) and abs(expected) < 1e20:  # beside a kink it is the step by the distance
            assert close(found["value"], expected)
    for derivation in data["derivations"]:
        values = {x["name"]: x["value"] for x in (*derivation["leaves"], *derivation["forward"])}
        bars = {x["of"][0] + "\u0304" + x["of"][1:]: x["gradient"] for x in derivation["backward"]}
        for step in derivation["forward"]:
            assert close(step["value"], read(step["formula"], values))
        for adjoint in derivation["backward"]:
            for part in adjoint["contributions"]:
                assert part["upstream"] * part["local"] == part["contribution"]
                assert close(part["local"], read(part["local_derivative"], values))
                assert close(part["contribution"], read(part["product"], values | bars))
            if adjoint["contributions"]:
                assert sum(part["contribution"] for part in adjoint["contributions"]) == adjoint["gradient"]
    everything = {x["name"]: x["value"] for d in data["derivations"] for x in (*d["leaves"], *d["forward"])}
    everything |= {component["name"]: component["value"] for component in data["components"]} | point
    for component in data["components"]:
        if component["formula"]:
            assert close(component["value"], read(component["formula"], everything))
    numbers = {(): explanation.value, **explanation.derivatives}
    for found in explanation.symbolic:
        assert close(float(numbers[found.by]), read(str(found.formula), point))


@pytest.mark.parametrize(
    "text, value", [("v₁²·(-sin(v₁))/2", -4.5 * 0.1411200080598672), ("x^(2/3) + |x - v₁|·[x > 1]", 2 ** (2 / 3) + 1)]
)
def test_formulas_are_read_back(text: str, value: float) -> None:
    assert float(read(text, {"x": 2.0, "v₁": 3.0})) == pytest.approx(value)
