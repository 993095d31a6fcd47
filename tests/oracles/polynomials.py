"""Polynomials in up to three variables with rational coefficients, by SymPy: nothing is rounded.

A differential operator is given as what it is, a polynomial in the symbols: coefficients by exponents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from sympy import QQ
from sympy.polys.matrices import DomainMatrix
from sympy.polys.rings import PolyElement, ring

Monomial = tuple[int, ...]
Terms = Mapping[Monomial, Fraction]

RING, *VARIABLES = ring("x y z", QQ)
"""x, y, z; a polynomial in fewer variables leaves the others out."""


def rational(number: Fraction | int) -> Any:
    """A number of SymPy's field of rationals."""
    return QQ(*Fraction(number).as_integer_ratio())


def fraction(number: Any) -> Fraction:
    """A number of SymPy's field of rationals as Python's."""
    return Fraction(int(number.numerator), int(number.denominator))


def polynomial(terms: Terms) -> PolyElement:
    """The polynomial with these coefficients."""
    return RING.from_dict({_padded(m): rational(c) for m, c in terms.items() if c})


def applied(operator: Terms, g: PolyElement) -> PolyElement:
    """P(∂) g."""
    result = RING.zero
    for monomial, c in operator.items():
        part = g
        for variable, power in zip(VARIABLES, monomial):
            for _ in range(power):
                part = part.diff(variable)
        result += rational(c) * part
    return result


def at(g: PolyElement, point: Sequence[Fraction]) -> Fraction:
    """g(x, y, z)."""
    values = [rational(v) for v in (*point, 0, 0, 0)[:3]]
    return fraction(g(*values))


def closure(operators: Sequence[Terms]) -> list[Terms]:
    """1 and all derivatives of the operators with respect to their symbols, one by one."""
    found = [RING.one]
    waiting = [polynomial(p) for p in operators]
    while waiting:
        p = waiting.pop()
        if p != 0 and p not in found:
            found.append(p)
            waiting += [p.diff(symbol) for symbol in VARIABLES]
    return [{tuple(m): fraction(c) for m, c in p.terms()} for p in found]


def rank(polynomials: Sequence[Terms]) -> int:
    """The dimension of the space that the polynomials span."""
    padded = [{_padded(m): c for m, c in p.items()} for p in polynomials]
    monomials = sorted({m for p in padded for m in p})
    rows = [[rational(p.get(m, 0)) for m in monomials] for p in padded]
    return DomainMatrix(rows, (len(rows), len(monomials)), QQ).rank()


def _padded(monomial: Monomial) -> Monomial:
    return (*monomial, 0, 0, 0)[:3]
