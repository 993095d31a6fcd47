"""Operators: a commutative ring over the rational numbers that reads as mathematics."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import apolar as ap
from apolar import Operator
from apolar.errors import CoordinateError, OperatorError

C = ap.coordinates("x y t")
dx, dy, dt = C

numbers = st.one_of(
    st.integers(-9, 9),
    st.fractions(min_value=-9, max_value=9, max_denominator=9),
    st.floats(-9, 9, allow_subnormal=False),
)
monomials = st.tuples(*[st.integers(0, 3)] * 3)
operators = st.dictionaries(monomials, st.fractions(max_denominator=7), max_size=4).map(
    lambda terms: Operator(terms, C)
)


# ------------------------------------------------------------------------------------------------------------- the ring


@given(operators, operators, operators)
def test_ring_axioms(p: Operator, q: Operator, r: Operator) -> None:
    assert p + q == q + p
    assert p * q == q * p
    assert (p + q) + r == p + (q + r)
    assert (p * q) * r == p * (q * r)
    assert p * (q + r) == p * q + p * r
    assert p + 0 == p == p * 1 == C.one * p
    assert p - p == 0 * p == C.one * 0
    assert -(p * -1) == p


@given(operators, numbers, numbers)
def test_numbers_are_operators_of_order_zero(p: Operator, a: float, b: float) -> None:
    assert a + p == p + a == p + a * C.one
    assert a * p == p * a == p * (a * C.one)
    assert a - p == -(p - a)
    assert (a * C.one) * (b * C.one) == (Fraction(a) * Fraction(b)) * C.one
    assert a * p / a == p if a else (a * p).order == 0


@given(operators, st.integers(0, 3), st.integers(0, 3))
def test_powers_add(p: Operator, i: int, j: int) -> None:
    assert p**i * p**j == p ** (i + j)
    assert p**0 == C.one


@given(operators, operators)
def test_order_is_the_degree(p: Operator, q: Operator) -> None:
    assert (p * q).order == (p.order + q.order if p.terms and q.terms else 0)
    assert (p + q).order <= max(p.order, q.order)
    assert p.order == max((sum(m) for m in p.terms), default=0)


@given(operators, operators)
def test_equality_and_hash_go_by_the_polynomial(p: Operator, q: Operator) -> None:
    again = q + (p - q)
    assert again == p
    assert hash(again) == hash(p)
    assert len({p, again}) == 1
    assert (p == q) == (p.terms == q.terms)


# -------------------------------------------------------------------------------------------------------------- exactly


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_floats_are_taken_exactly(a: float, b: float) -> None:
    assert (a * dx + b * dx).terms.get((1, 0, 0), 0) == Fraction(a) + Fraction(b)


EXACT: list[tuple[object, Fraction]] = [
    (0.1, Fraction(3602879701896397, 36028797018963968)),
    (Fraction(1, 3), Fraction(1, 3)),
    (2**80, Fraction(2**80)),
    (True, Fraction(1)),
    (np.float32(0.1), Fraction(13421773, 134217728)),
    (np.float64(0.1), Fraction(0.1)),
    (np.int64(7), Fraction(7)),
]


@pytest.mark.parametrize("number, exact", EXACT, ids=repr)
def test_every_kind_of_number_is_taken_exactly(number: float, exact: Fraction) -> None:
    assert (dx * number).terms == {(1, 0, 0): exact}


def test_numpy_integers_do_not_overflow() -> None:
    assert dx * np.int64(2**62) * np.int64(4) == 2**64 * dx


@pytest.mark.parametrize("number", [3, 3.0, Fraction(3), np.int64(3), np.float64(3)], ids=repr)
def test_a_number_on_the_left_gives_an_operator(number: float) -> None:
    assert number * dx == dx + dx + dx
    assert isinstance(number * dx, Operator)


# ------------------------------------------------------------------------------------------------------- as mathematics

READS: list[tuple[Operator, str]] = [
    (dx, "∂x"),
    (dx**2 + dy**2, "∂x² + ∂y²"),
    (dt - 0.1 * (dx**2 + dy**2), "-0.1 ∂x² - 0.1 ∂y² + ∂t"),
    ((dx**2 + dy**2) ** 2, "∂x⁴ + 2 ∂x²∂y² + ∂y⁴"),
    (dx * dy * dt, "∂x∂y∂t"),
    (dx**12, "∂x¹²"),
    (-dx, "-∂x"),
    (dx / 2 - 1, "1/2 ∂x - 1"),
    (dx - Fraction(1, 3) * dy, "∂x - 1/3 ∂y"),
    (C.one, "1"),
    (C.one * -2.5, "-5/2"),
    (dx - dx, "0"),
]


@pytest.mark.parametrize("operator, text", READS, ids=[text for _, text in READS])
def test_repr_reads_as_mathematics(operator: Operator, text: str) -> None:
    assert repr(operator) == text


def test_coordinates_name_their_symbols() -> None:
    assert tuple(C) == (dx, dy, dt) == C.gradient
    assert C["y"] == dy
    assert len(C) == 3
    assert repr(C) == "(x, y, t)"
    assert C.laplacian == dx**2 + dy**2 + dt**2
    assert C.bilaplacian == C.laplacian**2


@pytest.mark.parametrize("names", ["x y t", "x, y, t", "x,y,t", ["x", "y", "t"], ("x", "y", "t")], ids=repr)
def test_the_same_names_are_the_same_coordinates(names: str | list[str]) -> None:
    again = ap.coordinates(names)
    assert again == C
    assert hash(again) == hash(C)
    assert again["x"] + dy == dx + dy


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))])
def test_copies_are_equal(copied: Callable[[Operator], Operator]) -> None:
    p = dt - 0.1 * C.laplacian
    assert copied(p) == p
    assert len({copied(p), p}) == 1


# ------------------------------------------------------------------------------------------------------------- refusals

dz = ap.coordinates("x z")["z"]
TENSOR = torch.tensor(2.0)

REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "other coordinates, +": (lambda: dx + dz, r"\(x, y, t\).*\(x, z\).*one ap.coordinates"),
    "other coordinates, *": (lambda: dx * dz, r"\(x, y, t\).*\(x, z\).*one ap.coordinates"),
    "other coordinates, -": (lambda: dx - dz, r"\(x, y, t\).*\(x, z\).*one ap.coordinates"),
    "tensor on the right": (lambda: dx * TENSOR, "tensor stays outside: multiply the evaluated derivative"),
    "tensor on the left": (lambda: TENSOR * dx, "tensor stays outside: multiply the evaluated derivative"),
    "tensor added": (lambda: TENSOR + dx, "tensor stays outside"),
    "tensor subtracted": (lambda: dx - TENSOR, "tensor stays outside"),
    "subtracted from a tensor": (lambda: TENSOR - dx, "tensor stays outside"),
    "divided by a tensor": (lambda: dx / TENSOR, "tensor stays outside"),
    "parameter": (lambda: torch.nn.Parameter(TENSOR) * dx, "tensor stays outside"),
    "complex": (lambda: 1j * dx, "finite real number"),
    "nan": (lambda: float("nan") * dx, "finite real number.*nan"),
    "inf": (lambda: float("inf") + dx, "finite real number.*inf"),
    "text": (lambda: dx * "a", "finite real number.*'a'"),
    "None": (lambda: dx + None, "finite real number.*None"),
    "negative power": (lambda: dx**-1, "power 0, 1, 2"),
    "broken power": (lambda: dx**0.5, "power 0, 1, 2"),
    "operator as power": (lambda: dx**dy, "power 0, 1, 2"),
    "divided by 0": (lambda: dx / 0, "divided by a number that is not 0"),
    "divided by an operator": (lambda: dx / dy, "divided by a number"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_meaning_is_refused(name: str) -> None:
    build, message = REFUSED[name]
    with pytest.raises(OperatorError, match=message):
        build()


BAD_NAMES: dict[str, tuple[Callable[[], object], str]] = {
    "none": (lambda: ap.coordinates(""), "at least one name"),
    "an empty list": (lambda: ap.coordinates([]), "at least one name"),
    "twice": (lambda: ap.coordinates("x x"), "different names.*x, x"),
    "no identifier": (lambda: ap.coordinates("1x"), "'1x'.*identifier"),
    "a number for the names": (lambda: ap.coordinates(3), "name"),
    "a number among the names": (lambda: ap.coordinates(["x", 1]), "1"),
    "unknown": (lambda: C["z"], r"'z'.*\(x, y, t\)"),
    "an index": (lambda: C[0], r"0.*\(x, y, t\)"),
}


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_names_are_refused(name: str) -> None:
    build, message = BAD_NAMES[name]
    with pytest.raises(CoordinateError, match=message):
        build()


def test_operators_do_not_equal_numbers() -> None:
    assert C.one != 1
    assert dx != "∂x"
