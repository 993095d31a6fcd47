"""The answer: its numbers against closed forms, its notices at special points, its steps and plots."""

from __future__ import annotations

import html
import math
import re
from math import cos, exp, pi, sin

import pytest

import apolar as ap
from apolar.page.answer import Answer, answer
from apolar.page.question import Question, Refusal


def written(markup):
    """The text of MathML, with minus signs that Python reads."""
    text = html.unescape(re.sub(r"<[^>]+>", " ", markup)).replace("−", "-").replace("·", "e")
    return re.sub(r"\s*e\s*10\s+(-\s*)?(\d+)", lambda m: f"e{'-' * bool(m[1])}{m[2]}", re.sub(r"-\s+", "-", text))


def numbers(markup):
    """Those behind the first sign of equality."""
    return [float(text) for text in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", written(markup).partition("=")[2])]


GAUSS = exp(-0.34)

CLOSED_FORMS = [
    ("cos(x^2)", {"x": 0.5}, [[cos(0.25)], [-sin(0.25)], [-2 * sin(0.25) - cos(0.25)]]),
    ("x^3 + 2*x^2 + 1", {"x": 2}, [[17], [20], [16]]),
    ("x^x", {"x": 2}, [[4], [4 * (math.log(2) + 1)], [4 * (math.log(2) + 1) ** 2 + 2]]),
    (
        "exp(-x^2-y^2)",
        {"x": 0.5, "y": 0.3},
        [[GAUSS], [-GAUSS, -0.6 * GAUSS], [-GAUSS, 0.6 * GAUSS, 0.6 * GAUSS, -1.64 * GAUSS]],
    ),
    (
        "x^2*y + sin(x*y)",
        {"x": 1, "y": 2},
        [
            [2 + sin(2)],
            [4 + 2 * cos(2), 1 + cos(2)],
            [4 - 4 * sin(2), 2 + cos(2) - 2 * sin(2), 2 + cos(2) - 2 * sin(2), -sin(2)],
        ],
    ),
    ("(1-x)^2 + 100*(y-x^2)^2", {"x": -1, "y": 1}, [[4], [-4, 0], [802, 400, 400, 200]]),
    (
        "x*y*z + sin(z)",
        {"x": 1, "y": 2, "z": pi},
        [[2 * pi], [2 * pi, pi, 1], [0, pi, 2, pi, 0, 1, 2, 1, -sin(pi)]],
    ),
]


def asked(formula, point, **choices):
    return answer(Question(formula, ", ".join(f"{name}={value!r}" for name, value in point.items()), **choices))


@pytest.mark.parametrize("formula, point, expected", CLOSED_FORMS, ids=[case[0] for case in CLOSED_FORMS])
def test_value_gradient_and_hessian(formula, point, expected):
    found = asked(formula, point)
    for markup, values in zip(found.results, expected):
        assert numbers(markup) == pytest.approx(values, rel=2e-6, abs=1e-6), written(markup)


@pytest.mark.parametrize("formula, point, expected", CLOSED_FORMS, ids=[case[0] for case in CLOSED_FORMS])
def test_the_steps_end_at_the_same_numbers(formula, point, expected):
    explanation = ap.explain(formula, point, order=2)
    names = list(point)
    gradient = [explanation.derivatives[name,].item() for name in names]
    hessian = [explanation.derivatives[a, b].item() for a in names for b in names]
    assert gradient == pytest.approx(expected[1], rel=1e-12, abs=1e-12)
    assert hessian == pytest.approx(expected[2], rel=1e-12, abs=1e-12)


def test_taylor_polynomials_of_one_variable():
    found = asked("x^3 + 2*x^2 + 1", {"x": 2})
    assert numbers(found.results[3]) == [17, 20, -2]
    assert numbers(found.results[4]) == [17, 20, -2, 8, -2, 2]


@pytest.mark.parametrize(
    "formula, at, notice",
    [
        ("x^2 + y^2", "x=0, y=0", "local minimum"),
        ("-x^2 - x*y - y^2 - z^2", "x=0, y=0, z=0", "local maximum"),
        ("cos(x)", "pi", "local minimum"),
        ("x^2 - y^2", "x=0, y=0", "saddle point"),
        ("x^4", "0", "do not decide"),
        ("abs(x)", "0", "abs has no derivative"),
        ("max(x, y)", "x=1, y=1", "maximum has no derivative"),
        ("sqrt(x)", "0", "not finite"),
        ("atan2(y, x)", "x=0, y=0", "not finite"),
        ("x*abs(x)", "0", "convention"),
    ],
)
def test_notices_at_special_points(formula, at, notice):
    found = answer(Question(formula, at))
    assert notice in " ".join(f"{message} {detail}" for message, detail in found.notices)


@pytest.mark.parametrize(
    "formula, at", [("x^2", "1"), ("tan(x)", "1.5707963267948966"), ("exp(-x^2)", "5"), ("x", "0")]
)
def test_no_notice_elsewhere(formula, at):
    assert answer(Question(formula, at)).notices == ()


@pytest.mark.parametrize(
    "formula, at, step",
    [
        ("log(x)", "-1", "log(-1) = NaN"),
        ("1/x", "0", "1/0 = ∞"),
        ("1 + log(x)", "0", "log(0) = −∞"),
        ("sin(x)/x", "0", "0/0 = NaN"),
        ("sqrt(x*y)", "x=-1, y=2", "sqrt(-2) = NaN"),
        ("x^1000", "3", "3¹⁰⁰⁰ = ∞"),
        ("x^2", "1e200", "= ∞"),
    ],
)
def test_outside_of_the_domain_the_step_is_named(formula, at, step):
    found = answer(Question(formula, at, lang="zh"))
    assert isinstance(found, Refusal)
    assert found.field == "at"
    assert found.message.startswith("函数在这一点没有有限的实数值：")
    assert step in found.message


@pytest.mark.parametrize("formula, at", [("sqrt(x)", "0"), ("acos(x)", "1"), ("x^1000", "2.03"), ("x^0.5", "0")])
def test_no_number_stands_for_a_derivative_that_is_not_finite(formula, at):
    found = answer(Question(formula, at, order=3))
    assert written(found.results[1]).split()[-1] == "—"
    assert not re.search("nan|inf", "".join(figure.svg for figure in found.figures), re.IGNORECASE)


def test_sections_are_those_of_the_explanation():
    found = answer(Question("cos(x^2)", "0.5", order=2, lang="zh"))
    assert [section.heading for section in found.sections][::3] == ["函数及其一阶导数", "化简后的公式"]
    assert len(found.sections) == 4
    assert "-0.247404" in written(found.sections[0].html)
    assert "<svg" in found.sections[0].html
    assert all(section.is_open for section in found.sections)


def test_with_many_sections_only_the_first_is_open():
    found = answer(Question("x*y*z", "x=1, y=2, z=3", order=2))
    assert [section.is_open for section in found.sections] == [True] + [False] * (len(found.sections) - 1)


@pytest.mark.parametrize("formula, at, count", [("x^2", "1", 1), ("x*y", "x=1, y=2", 3), ("x*y*z", "x=1, y=1, z=1", 3)])
def test_plots(formula, at, count):
    found = answer(Question(formula, at))
    assert len(found.figures) == count
    assert ("arrowhead" in found.figures[0].svg) == (count == 3 and "z" not in formula)


def test_nothing_that_was_typed_becomes_markup():
    for found in (answer(Question("<b>x</b>", "1")), answer(Question("x", "<b>"))):
        assert isinstance(found, Refusal)


def test_a_fault_is_a_message_and_not_an_exception(monkeypatch):
    monkeypatch.setattr("apolar.page.answer.read", lambda question: 1 / 0)
    found = answer(Question("x", "1"))
    assert isinstance(found, Refusal)
    assert "fault in the program" in found.message


def test_where_steps_of_high_order_fail_those_of_order_one_are_shown(monkeypatch):
    explain = ap.explain

    def only_first(formula, point, order=1, **kwargs):
        if order > 1:
            raise ap.VerificationError("two ways disagree")
        return explain(formula, point, order, **kwargs)

    monkeypatch.setattr(ap, "explain", only_first)
    found = answer(Question("x^2", "1", order=2))
    assert isinstance(found, Answer)
    assert found.notices == ((found.notices[0][0], "two ways disagree"),)
    assert "order 2" in found.notices[0][0]
    assert found.sections
