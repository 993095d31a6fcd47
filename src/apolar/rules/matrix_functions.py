"""Functions of whole matrices: powers, the exponential, norms, condition numbers, Vandermonde matrices."""

from __future__ import annotations

import itertools
import math
from typing import Any

import torch

from apolar.engine.jet import Jet, unsupported
from apolar.rules.eigenvalues import eigh_of, jordan_wielandt
from apolar.rules.matrices import at, depth, identity
from apolar.rules.record import Kind
from apolar.rules.registry import composite, rule
from apolar.rules.shapes import axis

linalg: Any = torch.linalg


# ----------------------------------------------------------------------------------------------------- powers and series


@composite("matrix_power", linalg.matrix_power)
def matrix_power(A: Any, n: int) -> Any:
    """By repeated squaring."""
    if n < 0:
        return matrix_power(linalg.inv(A), -n)
    if n == 0:
        return identity(A).expand(A.shape)
    if n == 1:
        return A.clone()
    root = matrix_power(A, n // 2)
    square = root @ root
    return square @ A if n % 2 else square


@composite("matrix_exp", linalg.matrix_exp)
def matrix_exp(A: Any) -> Any:
    """exp(A/2ˢ)^(2ˢ), by the Taylor polynomial, whose degree grows with the order of the derivatives.

    For ‖A‖/2ˢ ≤ ½ the K-th derivative of what is left of degree q is about 2ᴷ⁻¹⁻ᵠ/(q + 1 − K)!. Powers Aᵖ are shared
    between blocks of p terms, by Paterson and Stockmeyer, 1973.
    """
    size = torch.func.debug_unwrap(linalg.matrix_norm(at(A), 1), recurse=True) if A.numel() else torch.zeros(1)
    halvings = max(0, math.ceil(math.log2(2 * float(size.max()) + 1e-30))) if torch.isfinite(size).all() else 0
    degree = 16 + depth(A)
    p = math.isqrt(degree) + 1
    X = A * 0.5**halvings
    powers = [identity(A), *itertools.accumulate([X] * p, torch.matmul)]
    total: Any = 0.0
    for block in reversed(range(0, degree + 1, p)):
        terms = sum(powers[i] * (1 / math.factorial(block + i)) for i in range(p - 1, -1, -1))
        total = terms if isinstance(total, float) else total @ powers[p] + terms
    for _ in range(halvings):
        total = total @ total
    return total


# ----------------------------------------------------------------------------------------------------------------- norms


@rule(linalg.matrix_norm, kind=Kind.COMPOSITE)
def matrix_norm(
    jet: Jet, func: Any, A: Any, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None
) -> Any:
    """Of the entries as one vector, of the sums of rows or columns, or of the singular values."""
    A = A if dtype is None else A.to(dtype)
    if ord == "fro":
        return linalg.vector_norm(A, 2, tuple(dim), keepdim)
    A = A.movedim(tuple(dim), (-2, -1))
    if ord in (1, -1, math.inf, -math.inf):
        sums = torch.abs(A).sum(-2 if abs(ord) == 1 else -1)
        out = torch.amax(sums, -1) if ord > 0 else torch.amin(sums, -1)
    elif ord == 2:
        # The largest eigenvalue of AᴴA: the others may coincide.
        square = A.mH @ A if A.shape[-2] >= A.shape[-1] else A @ A.mH
        out = torch.sqrt(eigh_of(jet, func, square, "L", slice(-1, None))[0][..., 0])
    elif ord == -2:
        m, n = A.shape[-2:]
        R = A if m == n else linalg.qr(A if m > n else A.mH, mode="r").R
        out = jordan_wielandt(jet, func, R, slice(-1, None))[1][..., 0]
    elif ord == "nuc":
        out = linalg.svdvals(A).sum(-1)
    else:
        raise unsupported(func, jet, f"There is no matrix norm {ord!r}: use 'fro', 'nuc', ±1, ±2 or ±inf.")
    kept = list(at(out).shape)
    for d in sorted(axis(jet.components, d) % A.ndim for d in dim):
        kept.insert(d, 1)
    return out.reshape(kept) if keepdim else out


composite("frobenius_norm")(lambda A, dim=(-2, -1), keepdim=False: linalg.vector_norm(A, 2, dim, keepdim))


composite("nuclear_norm")(lambda A, dim=(-2, -1), keepdim=False: linalg.matrix_norm(A, "nuc", dim, keepdim))


@composite(linalg.cond)
def cond(A: Any, p: Any = None) -> Any:
    """‖A‖ ‖A⁻¹‖; for p = ±2 the ratio of the extreme singular values."""
    if p in (None, 2, -2):
        largest, smallest = linalg.matrix_norm(A, 2), linalg.matrix_norm(A, -2)
        return smallest / largest if p == -2 else largest / smallest
    return linalg.matrix_norm(A, p) * linalg.matrix_norm(linalg.inv(A), p)


# -------------------------------------------------------------------------------------------------- Vandermonde matrices


@composite(linalg.vander)
def vander(x: Any, *, N: int | None = None) -> Any:
    """Powers 0 to N − 1 on a new last axis."""
    return torch.stack([x**k for k in range(x.shape[-1] if N is None else N)], -1)


@composite("vander")
def torch_vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    columns = linalg.vander(x, N=N)
    return columns if increasing else columns.flip(-1)
