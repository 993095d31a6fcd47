"""The digits of rules for functions of one variable, at some of the points that ``python -m tests.rules.digits`` takes."""

from __future__ import annotations

import pytest
import torch

import apolar as ap
from apolar.engine import series

from .digits import ALLOWED, DTYPES, TABLE, Line, exact, worst

POINTS = 4


@pytest.mark.parametrize("line", TABLE, ids=str)
def test_digits(line: Line) -> None:
    ordinary = [x for x in line.points if not line.limited(x) and abs(x) < 50]
    points = ordinary[:: max(1, len(ordinary) // POINTS)]
    for dtype in DTYPES:
        error = worst(line, dtype, points)
        assert error is None or error.units < ALLOWED, error


LOST = [
    ("sinc", -0.4, 12), ("log_ndtr", -5.0, 6), ("i0e", 100.0, 4), ("i1e", 100.0, 4), ("erfcx", 3.0, 10), ("expm1", -15.0, 1),
    ("tanh", 12.0, 1), ("sigmoid", 30.0, 3),
]  # fmt: skip


@pytest.mark.parametrize(("name", "at", "order"), LOST)
def test_what_was_lost_in_float32(name: str, at: float, order: int) -> None:
    line = next(line for line in TABLE if str(line) == name)
    x = torch.tensor(at)
    assert float(ap.derivative(line, order)(x)) == pytest.approx(float(exact(line, float(x))[order]), rel=1e-3)


def test_every_rule_is_in_the_table() -> None:
    swept = {str(line).partition("(")[0].partition(" ")[0] for line in TABLE}
    piecewise = {
        "abs", "deg2rad", "rad2deg", "frac", "relu", "relu6", "nan_to_num", "leaky_relu", "hardtanh", "hardsigmoid",
        "hardswish", "hardshrink", "softshrink", "threshold", "selu",
    }  # fmt: skip
    parts = {
        "number_power",
        "trigamma",
        "zeta_at",
        "polygamma_at",
        "torch_polygamma",
        "gammainc_at",
        "gammaincc_at",
        "entropy",
    }
    modules = {"apolar.rules.integrals"}
    names = {
        e.function.__name__.removeprefix("special_")
        for e in series.FUNCTIONS.values()
        if isinstance(e, series.Elementwise) and e.function.__module__ not in modules
    }
    assert names - piecewise - parts <= {"log_sigmoid" if name == "logsigmoid" else name for name in swept}
