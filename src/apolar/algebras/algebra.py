"""The smallest set of derivatives that carries the wanted operators through any computation.

V is the smallest space of polynomials in the symbols that contains the operators and 1 and is closed under every
∂/∂ξⱼ. With a basis p₀ = 1, p₁, …, pₘ₋₁ of V, p(ξ+η) = Σ cᵢⱼ pᵢ(ξ) pⱼ(η) is Leibniz' rule as a finite table. All of it is
exact rational arithmetic; tensors come later.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from math import comb, factorial, prod

from apolar.algebras.operators import Coordinates, Monomial, Operator, Polynomial, differentiate, format_polynomial
from apolar.errors import OperatorError

Term = tuple[int, int, float]
"""(i, j, c): c times component i of the left factor times component j of the right one."""


@dataclass(frozen=True)
class Power:
    """nᵉ = nᵃ·nᵇ for the nilpotent part n of a jet: the terms of every component that is not zero."""

    left: int
    right: int
    terms: dict[int, tuple[Term, ...]]


@dataclass(frozen=True, eq=False)
class Algebra:
    """V with a basis, its product table and the programs that follow from it. Made by :func:`algebra`."""

    coordinates: Coordinates
    basis: tuple[Operator, ...]
    pivots: tuple[Monomial, ...]

    @property
    def size(self) -> int:
        """m, the number of components that are carried."""
        return len(self.basis)

    @cached_property
    def order(self) -> int:
        """The highest order of a derivative in V."""
        return max(p.order for p in self.basis)

    @lru_cache(maxsize=4096)  # noqa: B019  (algebras are few and live as long)
    def read(self, operator: Operator) -> tuple[tuple[int, float], ...]:
        """The operator as a linear combination of the basis: (i, coefficient) where it is not zero."""
        return tuple((i, float(c)) for i, c in self._coordinates_of(operator.terms).items())

    @lru_cache(maxsize=4096)  # noqa: B019
    def seed(self, symbol: int) -> tuple[tuple[int, float], ...]:
        """The components of the coordinate ``symbol``: (i, coefficient of ξⱼ in pᵢ) where it is not zero."""
        unit = tuple(int(j == symbol) for j in range(len(self.coordinates)))
        return tuple((i, float(p.terms[unit])) for i, p in enumerate(self.basis) if unit in p.terms)

    @cached_property
    def table(self) -> tuple[tuple[tuple[int, int, Fraction], ...], ...]:
        """Leibniz' rule, exactly: the terms of every component k of a product, pₖ(ξ+η) = Σ cₖᵢⱼ pᵢ(ξ) pⱼ(η).

        By Taylor's theorem pₖ(ξ+η) = Σ_α ξᵅ/α! (∂ᵅpₖ)(η). The basis is reduced, so the coefficient at the pivot of pᵢ tells
        how much of pᵢ(ξ) there is: cₖᵢⱼ is the j-th coordinate of ∂ᵅpₖ, divided by α! times pᵢ's own coefficient there.
        """
        return tuple(
            tuple(
                (i, j, c / (_factorial(pivot) * self.basis[i].terms[pivot]))
                for i, pivot in self._pivots_below(p.terms)
                for j, c in self._coordinates_of(_derivative(p.terms, pivot)).items()
            )
            for p in self.basis
        )

    @cached_property
    def product(self) -> tuple[tuple[Term, ...], ...]:
        """The table in floating point."""
        return tuple(tuple((i, j, float(c)) for i, j, c in terms) for terms in self.table)

    @cached_property
    def nilpotent(self) -> tuple[tuple[Term, ...], ...]:
        """The product table without p₀: what the nilpotent parts of two jets give."""
        return tuple(tuple(t for t in terms if t[0] and t[1]) for terms in self.product)

    @cached_property
    def powers(self) -> tuple[Power, ...]:
        """How n², n³, … follow from each other by balanced products: n⁴ = n²·n²."""
        return self.powers_of(frozenset(range(self.size)))

    def powers_of(self, support: frozenset[int]) -> tuple[Power, ...]:
        """The same where only these components are not zero."""
        present = {1: support - {0}}
        steps = []
        for exponent in range(2, self.order + 1):
            left, right = exponent // 2, exponent - exponent // 2
            terms = {
                k: kept
                for k, all_terms in enumerate(self.nilpotent)
                if (kept := tuple(t for t in all_terms if t[0] in present[left] and t[1] in present[right]))
            }
            if left == right:
                terms = {k: _merge_symmetric(kept) for k, kept in terms.items()}
            present[exponent] = frozenset(terms)
            steps.append(Power(left, right, terms))
        return tuple(steps)

    @cached_property
    def dual(self) -> tuple[tuple[Term, ...], ...]:
        """The product table by its left factor: for every i the terms (k, j, cₖᵢⱼ), for reverse mode."""
        terms: list[list[Term]] = [[] for _ in self.basis]
        for k, row in enumerate(self.product):
            for i, j, c in row:
                terms[i].append((k, j, c))
        return tuple(map(tuple, terms))

    @cached_property
    def square(self) -> tuple[tuple[Term, ...], ...]:
        """The product table of a jet with itself."""
        return tuple(_merge_symmetric(terms) for terms in self.product)

    @cached_property
    def univariate(self) -> bool:
        """Whether a jet is a power series, cut off: component k of a product is Σ gᵢ hₖ₋ᵢ."""
        return all(terms == tuple((i, k - i, 1.0) for i in range(k + 1)) for k, terms in enumerate(self.product))

    @cached_property
    def blocks(self) -> tuple[tuple[tuple[int, ...], Algebra], ...]:
        """Components that no product connects, apart from p₀, as (their numbers, with 0; the algebra of these alone).

        V is spanned by the subspaces of operators in disjoint sets of symbols, and φ(g) is computed in each of them.
        """
        block = {k: {k} for k in range(1, self.size)}
        for k, terms in enumerate(self.nilpotent):
            for i, j, _ in terms:
                joined = block[k] | block[i] | block[j]
                block.update(dict.fromkeys(joined, joined))
        parts = dict.fromkeys((0, *sorted(block[k])) for k in range(1, self.size))
        return tuple((part, algebra(*(self.basis[k] for k in part))) for part in parts)

    @cached_property
    def path(self) -> tuple[tuple[Monomial, float], ...]:
        """Polynomials eₖ(ξ) = c ξᵅ dual to the basis, pᵢ(∂)eₖ(0) = δᵢₖ, as (α, c): a jet stands for the path Σₖ xₖ eₖ(ξ)."""
        return tuple(
            (pivot, float(1 / (_factorial(pivot) * p.terms[pivot]))) for p, pivot in zip(self.basis, self.pivots)
        )

    def describe(self) -> str:
        """The components in words, and what they save against all derivatives up to the same order.

        >>> from apolar.algebras.operators import coordinates
        >>> print(algebra(coordinates("x y").laplacian).describe())
        4 components instead of 6 (all derivatives of order 2 or less in 2 coordinates): 1, ∂x, ∂y, 1/2 ∂x² + 1/2 ∂y²
        """
        used = sum(any(m[j] for p in self.basis for m in p.terms) for j in range(len(self.coordinates)))
        full = comb(used + self.order, self.order)
        saved = f"instead of {full}" if full > self.size else "and nothing to save"
        return (
            f"{self.size} component{'s' * (self.size != 1)} {saved} (all derivatives of order {self.order} or less in {used} "
            f"coordinate{'s' * (used != 1)}): {', '.join(map(repr, self.basis))}"
        )

    def __repr__(self) -> str:
        return f"Algebra({', '.join(map(repr, self.basis))})"

    @cached_property
    def _index(self) -> dict[Monomial, int]:
        return {pivot: i for i, pivot in enumerate(self.pivots)}

    def _pivots_below(self, polynomial: Polynomial) -> list[tuple[int, Monomial]]:
        """The pivots that divide some monomial: only these derivatives are not zero."""
        below = {m for top in polynomial for m in _divisors(top)}
        return sorted((self._index[m], m) for m in below if m in self._index)

    def _coordinates_of(self, polynomial: Polynomial) -> dict[int, Fraction]:
        found = {i: c / self.basis[i].terms[m] for m, c in polynomial.items() if (i := self._index.get(m)) is not None}
        rest = dict(polynomial)
        for i, c in found.items():
            _subtract(rest, self.basis[i].terms, c)
        if rest:
            text = format_polynomial(polynomial, self.coordinates.names)
            raise OperatorError(f"{text} is not carried by {self!r}: name it when the algebra is built")
        return found


def algebra(*operators: Operator) -> Algebra:
    """The algebra of the smallest Leibniz-closed space that contains the operators.

    Args:
        operators: in one coordinate system.

    Raises:
        OperatorError: no operator, or operators of different coordinate systems.

    Source: docs/mathematics.md; Macaulay's inverse systems, where V is the dual of the apolar algebra.

    >>> from apolar.algebras.operators import coordinates
    >>> dx, dy, dt = coordinates("x y t")
    >>> algebra(dt - 0.1 * (dx**2 + dy**2), dx).size
    4
    """
    if not operators or not all(isinstance(p, Operator) for p in operators):
        raise OperatorError(f"an algebra is built from operators such as dx**2 + dy**2, got {operators!r}")
    for p in operators[1:]:
        operators[0]._coerce(p)
    return _algebra(frozenset(operators), operators[0].coordinates)


@lru_cache(maxsize=1024)
def _algebra(operators: frozenset[Operator], coordinates: Coordinates) -> Algebra:
    echelon = _closure([coordinates.one.terms, *(p.terms for p in operators)], len(coordinates))
    order = sorted(echelon, key=lambda m: (sum(m), tuple(-power for power in m)))
    basis = tuple(Operator(_scaled(echelon[pivot]), coordinates) for pivot in order)
    return Algebra(coordinates, basis, tuple(order))


def _closure(polynomials: list[Polynomial], symbols: int) -> dict[Monomial, dict[Monomial, Fraction]]:
    """A reduced echelon basis of the closure under all ∂/∂ξⱼ: the polynomial by its pivot."""
    echelon: dict[Monomial, dict[Monomial, Fraction]] = {}
    waiting = list(polynomials)
    while waiting:
        rest = dict(waiting.pop())
        for pivot in rest.keys() & echelon.keys():
            _subtract(rest, echelon[pivot], rest[pivot])
        if rest:
            pivot = max(rest, key=_rank)
            rest = {m: c / rest[pivot] for m, c in rest.items()}
            for other in echelon.values():
                if pivot in other:
                    _subtract(other, rest, other[pivot])
            echelon[pivot] = rest
            waiting += [derivative for j in range(symbols) if (derivative := differentiate(rest, j))]
    return echelon


def _rank(monomial: Monomial) -> tuple[int, Monomial]:
    return sum(monomial), monomial


def _subtract(target: dict[Monomial, Fraction], polynomial: Polynomial, factor: Fraction) -> None:
    for monomial, c in polynomial.items():
        target[monomial] = target.get(monomial, Fraction(0)) - factor * c
        if not target[monomial]:
            del target[monomial]


def _scaled(polynomial: Polynomial) -> dict[Monomial, Fraction]:
    """The multiple whose most frequent coefficient in divided powers ξᵅ/α! is 1: most entries of the table become 1."""
    sizes = Counter(abs(c * _factorial(m)) for m, c in polynomial.items())
    unit = max(sizes, key=lambda size: (sizes[size], -size))
    return {m: c / unit for m, c in polynomial.items()}


def _merge_symmetric(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """The terms of a factor with itself: (i, j) and (j, i) counted once."""
    merged: dict[tuple[int, int], float] = {}
    for i, j, c in terms:
        pair = (min(i, j), max(i, j))
        merged[pair] = merged.get(pair, 0.0) + c
    return tuple((i, j, c) for (i, j), c in merged.items())


def _divisors(monomial: Monomial) -> Iterator[Monomial]:
    """All monomials that divide this one; nearly all exponents are 0, so that only the others are counted through."""
    present = [j for j, power in enumerate(monomial) if power]
    for powers in itertools.product(*(range(monomial[j] + 1) for j in present)):
        divisor = [0] * len(monomial)
        for j, power in zip(present, powers, strict=True):
            divisor[j] = power
        yield tuple(divisor)


def _derivative(polynomial: Polynomial, monomial: Monomial) -> Polynomial:
    for symbol, power in enumerate(monomial):
        for _ in range(power):
            polynomial = differentiate(polynomial, symbol)
    return polynomial


def _factorial(monomial: Monomial) -> int:
    return prod(map(factorial, monomial))
