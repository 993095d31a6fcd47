"""The closure: its sizes, that nothing smaller would do, and Leibniz' rule, all exactly."""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from collections.abc import Callable
from fractions import Fraction
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.oracles.polynomials import Terms, applied, closure, polynomial, rank, rational

import apolar as ap
from apolar import Algebra, Operator
from apolar.errors import OperatorError

C = ap.coordinates("x y z")
dx, dy, dz = C

fractions = st.fractions(min_value=-5, max_value=5, max_denominator=6)
monomials = st.tuples(*[st.integers(0, 2)] * 3)
operators = st.dictionaries(monomials, fractions, min_size=1, max_size=3).map(lambda terms: Operator(terms, C))
algebras = st.lists(operators, min_size=1, max_size=3).map(lambda chosen: ap.algebra(*chosen))
functions = st.dictionaries(st.tuples(*[st.integers(0, 3)] * 3), fractions, min_size=1, max_size=5).map(polynomial)
few = settings(max_examples=40)


def space(d: int) -> ap.Coordinates:
    return ap.coordinates([f"x{i}" for i in range(1, d + 1)])


def second(d: int) -> list[Operator]:
    """All second derivatives."""
    return [a * b for a, b in itertools.combinations_with_replacement(space(d), 2)]


# ---------------------------------------------------------------------------------------------------------------- sizes

SIZES: dict[str, tuple[list[Operator], int]] = {
    "gradient": ([dx, dy, dz], 4),
    "Laplacian, d = 1": ([space(1).laplacian], 3),
    "Laplacian, d = 2": ([space(2).laplacian], 4),
    "Laplacian, d = 3": ([space(3).laplacian], 5),
    "Laplacian, d = 10": ([space(10).laplacian], 12),
    "Laplacian with lower terms": ([dx**2 + dy**2 + 3 * dx - 7], 4),
    "wave": ([dz**2 - 4 * (dx**2 + dy**2)], 5),
    "heat, 1 + 1": ([dy - dx**2], 3),
    "heat, 2 + 1": ([dz - 0.1 * (dx**2 + dy**2)], 4),
    "heat and its part": ([dz - 0.1 * (dx**2 + dy**2), dx], 4),
    "heat and Laplacian": ([dz - 0.1 * (dx**2 + dy**2), dx**2 + dy**2], 5),
    "Burgers": ([dx, dy, dx**2], 4),
    "KdV": ([dy, dx, dx**3], 5),
    "Kuramoto–Sivashinsky": ([dy, dx, dx**2, dx**4], 6),
    "biharmonic, d = 2": ([space(2).bilaplacian], 9),
    "biharmonic, d = 3": ([space(3).bilaplacian], 14),
    "biharmonic, d = 5": ([space(5).bilaplacian], 27),
    "biharmonic, d = 10": ([space(10).bilaplacian], 77),
    "Δ³, d = 2": ([space(2).laplacian ** 3], 16),
    "all second derivatives, d = 3": (second(3), 10),
    "all second derivatives, d = 6": (second(6), comb(8, 2)),
    "mixed": ([dx * dy], 4),
    "mixed three": ([dx * dy * dz], 8),
    "a square of a sum": ([(dx + dy) ** 2], 3),
    "a high power of a sum": ([(dx + 2 * dy - dz) ** 7], 8),
    "a difference of squares": ([dx**2 - dy**2], 4),
    "the same in other coordinates": ([(dx + dy) * (dx - dy)], 4),
    "Taylor, order 10": ([dx**10], 11),
    "nothing": ([0 * dx], 1),
    "the value": ([C.one], 1),
    "twice the same": ([dx**2, 2 * dx**2, -(dx**2)], 3),
}


@pytest.mark.parametrize("name", SIZES)
def test_size(name: str) -> None:
    chosen, size = SIZES[name]
    carried = ap.algebra(*chosen)
    assert carried.size == len(carried.basis) == size
    assert carried.order == max(p.order for p in chosen)


@pytest.mark.parametrize("d", [1, 2, 3, 4, 6])
def test_biharmonic_sizes_follow_the_formula(d: int) -> None:
    assert ap.algebra(space(d).bilaplacian).size == 2 + 2 * d + d * (d + 1) // 2


# ---------------------------------------------------------------------------------------------- the smallest closed space


@given(st.lists(operators, min_size=1, max_size=3))
def test_the_basis_spans_all_derivatives_of_the_operators_and_nothing_else(chosen: list[Operator]) -> None:
    carried = ap.algebra(*chosen)
    needed = closure([p.terms for p in chosen])
    basis = [p.terms for p in carried.basis]
    assert carried.size == rank(needed) == rank(basis) == rank(needed + basis)


@given(operators, operators, st.integers(1, 9), st.integers(-9, 9))
def test_the_basis_depends_on_the_space_only(p: Operator, q: Operator, a: int, b: int) -> None:
    """Other operators that span the same space, in any order, give the same basis."""
    basis = ap.algebra(p, q).basis
    assert ap.algebra(q, p).basis == basis
    assert ap.algebra(a * p + b * q, q / 3).basis == basis
    assert ap.algebra(p, q, *basis).basis == basis


@given(algebras)
def test_the_value_comes_first_and_stands_alone(carried: Algebra) -> None:
    assert carried.basis[0] == C.one
    assert not any((0, 0, 0) in p.terms for p in carried.basis[1:])


@pytest.mark.parametrize("name", SIZES)
def test_most_entries_of_the_table_are_one(name: str) -> None:
    entries = [c for terms in ap.algebra(*SIZES[name][0]).product for _, _, c in terms]
    assert 2 * entries.count(1.0) > len(entries)


# -------------------------------------------------------------------------------------------------------- Leibniz' rule


@given(algebras, functions, functions)
@few
def test_leibniz(carried: Algebra, g: object, h: object) -> None:
    """pₖ(∂)(g·h) = Σ cₖᵢⱼ (pᵢ(∂)g)(pⱼ(∂)h), for polynomials g and h."""
    of_g, of_h = ([applied(p.terms, f) for p in carried.basis] for f in (g, h))
    for p, terms in zip(carried.basis, carried.table, strict=True):
        assert applied(p.terms, g * h) == sum(rational(c) * of_g[i] * of_h[j] for i, j, c in terms)


def entries(carried: Algebra) -> dict[tuple[int, int, int], Fraction]:
    """cₖᵢⱼ by k, i, j."""
    found = {(k, i, j): c for k, terms in enumerate(carried.table) for i, j, c in terms}
    assert len(found) == sum(map(len, carried.table)), "an entry stands twice"
    return found


@given(algebras)
@few
def test_one_times_a_jet_is_the_jet(carried: Algebra) -> None:
    c = entries(carried)
    assert {key: value for key, value in c.items() if key[1] == 0} == {(k, 0, k): 1 for k in range(carried.size)}


@given(algebras)
@few
def test_commutative(carried: Algebra) -> None:
    c = entries(carried)
    assert c == {(k, j, i): value for (k, i, j), value in c.items()}


@given(algebras)
@few
def test_associative(carried: Algebra) -> None:
    """Σₗ cₖₗₙ cₗᵢⱼ, what (f·g)·h holds of fᵢ gⱼ hₙ, is Σₗ cₖᵢₗ cₗⱼₙ, what f·(g·h) does."""
    left: dict[tuple[int, ...], Fraction] = defaultdict(Fraction)
    right: dict[tuple[int, ...], Fraction] = defaultdict(Fraction)
    for k, outer in enumerate(carried.table):
        for a, b, c in outer:
            for i, j, inner in carried.table[a]:
                left[k, i, j, b] += c * inner
            for j, n, inner in carried.table[b]:
                right[k, a, j, n] += c * inner
    assert {key: c for key, c in left.items() if c} == {key: c for key, c in right.items() if c}


@given(algebras)
@few
def test_the_other_tables_say_the_same(carried: Algebra) -> None:
    c = {key: float(value) for key, value in entries(carried).items()}
    size = range(carried.size)
    assert {(k, i, j): v for k in size for i, j, v in carried.product[k]} == c
    assert {(k, i, j): v for j in size for k, i, v in carried.dual[j]} == c
    assert {(k, i, j): v for k in size for i, j, v in carried.nilpotent[k]} == {
        key: v for key, v in c.items() if key[1] and key[2]
    }
    for k in size:
        assert all(i <= j for i, j, _ in carried.square[k])
        expected = {(i, j): c[k, i, j] * (1 + (i < j)) for _, i, j in filter(lambda key: key[0] == k, c) if i <= j}
        assert {(i, j): v for i, j, v in carried.square[k]} == pytest.approx(expected)


@given(algebras, st.lists(st.integers(-4, 4), min_size=30, max_size=30))
@few
def test_powers_follow_from_each_other(carried: Algebra, numbers: list[int]) -> None:
    """nᵉ by the program is n·nᵉ⁻¹ by the table, and n to the order plus one is 0."""
    n = {k: float(numbers[k % 30]) for k in range(1, carried.size)}
    by_program = {1: n}
    for exponent, step in enumerate(carried.powers, start=2):
        left, right = by_program[step.left], by_program[step.right]
        by_program[exponent] = {k: sum(c * left[i] * right[j] for i, j, c in ts) for k, ts in step.terms.items()}
    by_table = n
    for exponent in range(1, carried.order + 2):
        found = by_program.get(exponent, {})
        for k in range(carried.size):
            assert found.get(k, 0.0) == pytest.approx(by_table.get(k, 0.0), rel=1e-9, abs=1e-9)
        by_table = {
            k: sum(c * n.get(i, 0.0) * by_table.get(j, 0.0) for i, j, c in carried.product[k])
            for k in range(carried.size)
        }
    assert set(by_program) <= set(range(1, carried.order + 2))


# ---------------------------------------------------------------------------------------------------- seeds and read-out


@given(algebras)
@few
def test_seeds_are_the_derivatives_of_the_coordinates(carried: Algebra) -> None:
    for symbol in range(3):
        unit = polynomial({tuple(int(j == symbol) for j in range(3)): Fraction(1)})
        exact = {i: applied(p.terms, unit) for i, p in enumerate(carried.basis) if i}
        assert dict(carried.seed(symbol)) == {i: float(c.LC) for i, c in exact.items() if c}


@given(st.lists(operators, min_size=1, max_size=3))
@few
def test_operators_are_read_from_the_basis(chosen: list[Operator]) -> None:
    carried = ap.algebra(*chosen)
    for p in (*chosen, C.one, chosen[0] - 2, *carried.basis):
        total: Terms = sum((c * carried.basis[i] for i, c in carried.read(p)), 0 * dx).terms
        for monomial in total.keys() | p.terms.keys():
            assert float(total.get(monomial, 0)) == pytest.approx(float(p.terms.get(monomial, 0)), abs=1e-12)


@given(algebras)
@few
def test_the_path_is_dual_to_the_basis(carried: Algebra) -> None:
    """pᵢ(∂)eₖ at 0 is 1 for i = k, to the last digit of a float, and 0 elsewhere, exactly."""
    for k, (monomial, c) in enumerate(carried.path):
        at_zero = [applied(p.terms, polynomial({monomial: Fraction(1)})).coeff(1) for p in carried.basis]
        assert [i for i, number in enumerate(at_zero) if number] == [k]
        assert c == float(1 / Fraction(int(at_zero[k].numerator), int(at_zero[k].denominator)))


def test_requested_powers_are_single_components() -> None:
    carried = ap.algebra(dx**4, dx * dy)
    assert [len(carried.read(p)) for p in (C.one, dx, dx**2, dx**3, dx**4, dy, dx * dy)] == [1] * 7


@pytest.mark.parametrize("operator", [dy, dx**3, dx**2 + dy**2, dz])
def test_operators_that_are_not_carried_are_refused(operator: Operator) -> None:
    with pytest.raises(OperatorError, match="not carried"):
        ap.algebra(dx**2, dx * dz * 0).read(operator)


# --------------------------------------------------------------------------------------------------- building and naming


def test_the_biharmonic_in_ten_coordinates_is_quick_and_cached() -> None:
    fresh = ap.coordinates([f"fresh{i}" for i in range(10)])
    start = time.process_time()
    carried = ap.algebra(fresh.bilaplacian)
    assert carried.table
    assert carried.powers
    assert time.process_time() - start < 2
    assert ap.algebra(fresh.bilaplacian) is carried
    assert carried.table is carried.table


SAME: dict[str, Callable[[], Algebra]] = {
    "again": lambda: ap.algebra(dx**2, dy),
    "in another order": lambda: ap.algebra(dy, dx**2),
    "one of them twice": lambda: ap.algebra(dx**2, dy, dy),
    "operators built in another way": lambda: ap.algebra(dx * dx + dy - dy, 3 * dy / 3),
    "coordinates made anew": lambda: ap.algebra(*[ap.coordinates("x, y, z")[n] ** p for n, p in (("x", 2), ("y", 1))]),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_operators_give_the_same_object(name: str) -> None:
    assert SAME[name]() is ap.algebra(dx**2, dy)


def test_other_coordinates_give_another_object() -> None:
    u, v, _ = ap.coordinates("u v w")
    assert ap.algebra(u**2, v) is not ap.algebra(dx**2, dy)


DESCRIPTIONS: dict[str, tuple[list[Operator], str]] = {
    "Laplacian": (
        [dx**2 + dy**2],
        "4 components instead of 6 (all derivatives of order 2 or less in 2 coordinates): "
        "1, ∂x, ∂y, 1/2 ∂x² + 1/2 ∂y²",
    ),
    "KdV": (
        [dy, dx, dx**3],
        "5 components instead of 10 (all derivatives of order 3 or less in 2 coordinates): "
        "1, ∂x, ∂y, 1/2 ∂x², 1/6 ∂x³",
    ),
    "one coordinate": ([dx], "2 components and nothing to save (all derivatives of order 1 or less in 1 coordinate): 1, ∂x"),
    "all second derivatives": (
        [dx**2, dx * dy, dy**2],
        "6 components and nothing to save (all derivatives of order 2 or less in 2 coordinates): "
        "1, ∂x, ∂y, 1/2 ∂x², ∂x∂y, 1/2 ∂y²",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_describe(name: str) -> None:
    chosen, text = DESCRIPTIONS[name]
    assert ap.algebra(*chosen).describe() == text


def test_repr_names_the_basis() -> None:
    assert repr(ap.algebra(dx**2)) == "Algebra(1, ∂x, 1/2 ∂x²)"


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "no operator": (lambda: ap.algebra(), "built from operators"),
    "a number": (lambda: ap.algebra(1), "built from operators.*1"),
    "a list": (lambda: ap.algebra([dx, dy]), "built from operators"),
    "other coordinates": (lambda: ap.algebra(dx, ap.coordinates("x t")["t"]), r"\(x, y, z\).*\(x, t\)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_algebra_is_refused(name: str) -> None:
    build, message = REFUSED[name]
    with pytest.raises(OperatorError, match=message):
        build()
