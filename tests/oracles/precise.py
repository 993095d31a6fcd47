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


def derivatives(formula: Formula, x: Tensor, v: Tensor, radius: float, order: int) -> list[Tensor]:
    """The derivatives of formula(x + s·v) in s at 0 of orders 0 to ``order``, each as one flat vector.

    The circle of ``radius`` must keep away from singularities: where they are four times as far, the error is about 4⁻³⁰.
    """
    with mp.workdps(DIGITS):
        A, V = matrix(x.tolist()), matrix(v.tolist())
        circle = [mpmath.expjpi(mpmath.mpf(2 * j) / POINTS) for j in range(POINTS)]
        values = [[entry for part in formula(A + radius * z * V) for entry in part] for z in circle]
        return [
            torch.tensor(
                [
                    float(
                        mpmath.re(sum(y * z**-k for y, z in zip(entries, circle)))
                        * mpmath.factorial(k)
                        / (POINTS * mpmath.mpf(radius) ** k)
                    )
                    for entries in zip(*values)
                ],
                dtype=torch.float64,
            )
            for k in range(order + 1)
        ]


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
