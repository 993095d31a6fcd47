"""Derivatives of matrix functions from Cauchy's formula in 40 digits, where conditioning leaves float64 no references.

The formulas are the textbook's, with transposes and no conjugates, so that they are analytic in complex matrices too. They
share nothing with the rules: powers, products, inverses and eigenvalues are mpmath's.
"""

from __future__ import annotations

from collections.abc import Callable

import mpmath
import torch
from mpmath import matrix, mp
from torch import Tensor

Formula = Callable[[matrix], list[matrix]]

DIGITS, POINTS = 40, 30

EPSILON = torch.finfo(torch.float64).eps

STEP = 1e-10
"""Of the difference quotient: below every distance to a singularity in the tests, above rounding to float64."""


def derivatives(
    formula: Formula, x: Tensor, v: Tensor, radius: float, order: int, points: int = POINTS
) -> list[Tensor]:
    """The derivatives of formula(x + s·v) in s at 0 of orders 0 to ``order``, each as one flat vector.

    The circle of ``radius`` must keep away from singularities: where they are four times as far, the error is about 4⁻³⁰.
    """
    with mp.workdps(DIGITS):
        A, V = matrix(x.tolist()), matrix(v.tolist())
        # A formula is real at real matrices, so conjugate at conjugate ones: the upper half of the circle is enough.
        half = [
            (mpmath.expjpi(mpmath.mpf(2 * j) / points), 2 if 0 < 2 * j < points else 1) for j in range(points // 2 + 1)
        ]
        values = [[entry for part in formula(A + radius * z * V) for entry in part] for z, _ in half]
        return [
            torch.tensor(
                [
                    float(
                        sum(count * mpmath.re(y * z**-k) for y, (z, count) in zip(entries, half))
                        * mpmath.factorial(k)
                        / (points * mpmath.mpf(radius) ** k)
                    )
                    for entries in zip(*values)
                ],
                dtype=torch.float64,
            )
            for k in range(order + 1)
        ]


def rounding(formula: Formula, x: Tensor, v: Tensor, radius: float, order: int, entrywise: bool = False) -> list[float]:
    """How far one rounding error in each entry of x and v moves the derivatives of orders 0 to ``order``.

    A backward stable algorithm returns f(A + ΔA) with ‖ΔA‖ ≤ c ε ‖A‖, where c is of moderate size (Higham, Accuracy and
    Stability of Numerical Algorithms, section 1.5). Its k-th derivative is then off by c ε ‖A‖ ‖∂(∂ᵏf)/∂A‖, whatever the
    processor: the condition, known exactly here, times the unit of rounding. Where the next singularity is ρ away, two equal
    eigenvalues for one, ∂ᵏf grows like ρ⁻ᵏ, and this like ε ‖A‖/ρ · |∂ᵏf|.

    The condition is the largest of three difference quotients along random signs, times the largest entry or, ``entrywise``,
    where an algorithm keeps rows and columns of different size apart, times each entry. Two digits of it are enough.
    """
    generator = torch.Generator().manual_seed(0)
    largest = [0.0] * (order + 1)
    for _ in range(3):
        dx, dv = (
            STEP * (y.abs() if entrywise else y.abs().max()) * (torch.randint(2, y.shape, generator=generator) * 2 - 1)
            for y in (x, v)
        )
        ahead, behind = (derivatives(formula, x + h * dx, v + h * dv, radius, order, points=8) for h in (1, -1))
        moved = [EPSILON * float((a - b).abs().max()) / (2 * STEP) for a, b in zip(ahead, behind)]
        largest = list(map(max, largest, moved))
    return largest


def scalar(x: object) -> list[matrix]:
    """A number as a 1 × 1 matrix."""
    return [matrix([[x]])]


def columns(A: matrix, start: int, stop: int) -> matrix:
    return A[0 : A.rows, start:stop]


def pseudo_inverse(A: matrix) -> matrix:
    """Of full rank."""
    return (A.T * A) ** -1 * A.T if A.rows >= A.cols else A.T * (A * A.T) ** -1


def pseudo_inverse_of_product(B: matrix, C: matrix) -> matrix:
    """(B Cᵀ)⁺ for B and C with independent columns."""
    return pseudo_inverse(C.T) * pseudo_inverse(B)


def cholesky(A: matrix) -> matrix:
    """L Lᵀ = A, row after row."""
    L = mpmath.zeros(A.rows)
    for i in range(A.rows):
        for j in range(i + 1):
            rest = A[i, j] - sum(L[i, k] * L[j, k] for k in range(j))
            L[i, j] = mpmath.sqrt(rest) if i == j else rest / L[j, j]
    return L


def lu(A: matrix) -> tuple[matrix, matrix]:
    """L U = A without exchanges of rows, for any shape."""
    r = min(A.rows, A.cols)
    L, U = matrix(A.rows, r), matrix(r, A.cols)
    for k in range(r):
        for j in range(k, A.cols):
            U[k, j] = A[k, j] - sum(L[k, i] * U[i, j] for i in range(k))
        for j in range(k, A.rows):
            L[j, k] = (A[j, k] - sum(L[j, i] * U[i, k] for i in range(k))) / U[k, k]
    return L, U


def qr(A: matrix) -> tuple[matrix, matrix]:
    """Q R = A with a positive diagonal in R, by Gram and Schmidt; R Cholesky's factor of AᵀA."""
    r = min(A.rows, A.cols)
    square = columns(A, 0, r)
    Q = square * (cholesky(square.T * square).T) ** -1
    return Q, Q.T * A


def eigenvalues(A: matrix, near: list[float]) -> list[object]:
    """The eigenvalues of A next to given numbers, in their order."""
    found = mp.eig(A, left=False, right=False)
    return [min(found, key=lambda e: abs(e - n)) for n in near]


def projectors(A: matrix, values: list[object]) -> list[matrix]:
    """v vᵀ for each eigenvector, by Lagrange's polynomials in A."""
    out = []
    for a in values:
        P = mpmath.eye(A.rows)
        for b in values:
            if b is not a:
                P = P * (A - b * mpmath.eye(A.rows)) / (a - b)
        out.append(P)
    return out
