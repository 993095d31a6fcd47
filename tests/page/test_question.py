"""What may be asked: every spelling of a point, and a refusal beside the right field for everything else."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apolar.page.question import MAX_CHARACTERS, MAX_OPERATIONS, Question, Refusal, read


@pytest.mark.parametrize(
    "formula, at, point",
    [
        ("x^2", "3", {"x": 3.0}),
        ("x²", " x = 3 ", {"x": 3.0}),
        ("x^2", "x=pi/2", {"x": math.pi / 2}),
        ("x^2", "π", {"x": math.pi}),
        ("x^2", "−1", {"x": -1.0}),
        ("x*y", "y=2, x=1", {"x": 1.0, "y": 2.0}),
        ("x*y", "x=1;y=2", {"x": 1.0, "y": 2.0}),
        ("x×y", "x=max(1, 2), y=2", {"x": 2.0, "y": 2.0}),
        ("（x＋ｙ）÷２", "x＝１，y＝0．5", {"x": 1.0, "y": 0.5}),
        ("theta1 + λ", "theta1=1, λ=2", {"theta1": 1.0, "λ": 2.0}),
    ],
)
def test_points_as_people_type_them(formula, at, point):
    problem = read(Question(formula, at))
    assert problem.point == point
    assert problem.position.tolist() == list(point.values())


@pytest.mark.parametrize(
    "formula, at, field, message",
    [
        ("", "x=1", "f", "Type a function"),
        ("   ", "", "f", "Type a function"),
        ("x", "", "at", "such as x=1"),
        ("x*y", "", "at", "such as x=1, y=2"),
        ("2x", "x=1", "f", "write 2*x"),
        ("sinn(x)", "x=1", "f", "did you mean sin?"),
        ("sin(x", "x=1", "f", "cannot be read"),
        ("y = x^2", "x=1", "f", "right-hand side"),
        ("__import__('os').system('true')", "x=1", "f", "no meaning here"),
        ("x.__class__", "x=1", "f", "a dot between names"),
        ("(lambda: x)()", "x=1", "f", "cannot be read"),
        ("x^(10^10)", "x=1", "f", "too large"),
        ("9^9^9^9*x", "x=1", "f", "too large"),
        ("x, y", "x=1, y=2", "f", "not several"),
        ("1 + 2", "x=1", "f", "no variable"),
        ("a*b*c*d", "a=1", "f", "at most 3"),
        ("x" * (MAX_CHARACTERS + 1), "x=1", "f", f"at most {MAX_CHARACTERS}"),
        ("x" + "+x" * (MAX_OPERATIONS + 1), "x=1", "f", f"at most {MAX_OPERATIONS}"),
        ("x", "1" * (MAX_CHARACTERS + 1), "at", f"at most {MAX_CHARACTERS}"),
        ("x", "y=1", "at", "its variables are x"),
        ("x", "x=1, x=2", "at", "twice"),
        ("x*y", "x=1", "at", "missing for y"),
        ("x*y", "1, 2", "at", "“1, 2” is not a name and a value"),
        ("x", "x=1/0", "at", "divides by 0"),
        ("x", "x=1e400", "at", "out of the range"),
        ("x", "x=y", "at", "no variable y"),
        ("x", "x=", "at", "nothing to read"),
        ("x", "<b>=1", "at", "<b>"),
    ],
)
def test_refusals_name_the_field_and_the_cause(formula, at, field, message):
    with pytest.raises(Refusal) as caught:
        read(Question(formula, at))
    assert caught.value.field == field
    assert message in f"{caught.value.message} {caught.value.detail}"


def test_refusals_in_chinese_keep_the_words_of_the_parser():
    with pytest.raises(Refusal) as caught:
        read(Question("2x", "1", lang="zh"))
    assert caught.value.message == "无法读懂这个函数。"
    assert caught.value.detail.startswith("a product needs its sign: write 2*x")


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_is_read_or_refused(formula, at):
    try:
        point = read(Question(formula, at)).point
    except Refusal as refusal:
        point = {}
        complete = bool(refusal.message) and refusal.field in ("f", "at")
    else:
        complete = bool(point)
    assert complete
    assert all(math.isfinite(value) for value in point.values())
