"""Mixed derivatives from derivatives along straight lines.

With n = i + j, the n-th derivative of f along a·v + b·w is Σₘ C(n, m) aⁿ⁻ᵐ bᵐ ∂ˢⁿ⁻ᵐ∂ᵗᵐ g. Its values for n + 1
different pairs (a : b) determine every mixed derivative of order n; the weights are exact rationals. All pairs have
|a| + |b| = 1, so that no line leaves the domain of f sooner than those along v and w.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from math import comb

from .lines import Index

Pair = tuple[Fraction, Fraction]

PAIRS: tuple[Pair, ...] = tuple(
    (Fraction(p, abs(p) + abs(q)), Fraction(q, abs(p) + abs(q)))
    for p, q in ((1, 0), (0, 1), (1, 1), (1, -1), (2, 1), (2, -1), (1, 2), (1, -2))
)


@cache
def weights(index: Index) -> tuple[tuple[Pair, Fraction], ...]:
    """((a, b), weight) with ∂ˢⁱ∂ᵗʲ g = Σ weight · (derivative of order i + j along a·v + b·w)."""
    i, j = index
    if j == 0:
        return ((PAIRS[0], Fraction(1)),)
    n = i + j
    pairs = PAIRS[: n + 1]
    rows = [[comb(n, m) * a ** (n - m) * b**m for a, b in pairs] + [Fraction(int(m == j))] for m in range(n + 1)]
    return tuple((pair, weight) for pair, weight in zip(pairs, solve(rows)) if weight)


def solve(rows: list[list[Fraction]]) -> list[Fraction]:
    """The solution of a square linear system given as augmented rows, by elimination in exact arithmetic."""
    n = len(rows)
    for c in range(n):
        pivot = next(r for r in range(c, n) if rows[r][c])
        rows[c], rows[pivot] = rows[pivot], rows[c]
        rows[c] = [entry / rows[c][c] for entry in rows[c]]
        for r in range(n):
            if r != c:
                rows[r] = [entry - rows[r][c] * lead for entry, lead in zip(rows[r], rows[c])]
    return [row[n] for row in rows]
