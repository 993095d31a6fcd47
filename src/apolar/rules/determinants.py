"""Determinants: the polynomial itself, also of singular matrices, and its logarithm."""

from __future__ import annotations

import itertools
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from apolar.engine.jet import Jet, anywhere, unsupported
from apolar.rules.linear_equations import eliminated
from apolar.rules.matrices import at, depth, tiny
from apolar.rules.registry import rule

linalg: Any = torch.linalg
types: Any = torch.return_types


def log_ratio(jet: Jet, A: Jet, LU: Tensor, pivots: Tensor) -> Any:
    """log(det A / det A₀) = tr log(1 + N) = Σ (−1)ᵉ⁻¹/e tr Nᵉ, a finite sum: N = A₀⁻¹(A − A₀) is nilpotent."""
    zero = torch.zeros_like(A.components[:1])
    N = jet.like(torch.cat([zero, eliminated(LU, pivots)(A.components[1:])]))
    powers: dict[int, Any] = {1: N}
    total = N.diagonal(dim1=-2, dim2=-1).sum(-1)
    for e in range(2, jet.algebra.order + 1):
        a, b = powers[e // 2], powers[e - e // 2]
        total = total + (a * b.mT).sum((-2, -1)) * ((-1) ** (e - 1) / e)
        if 2 * e <= jet.algebra.order + 1:
            powers[e] = a @ b
    return total


def pivoted(LU: Any, pivots: Tensor) -> tuple[Any, Tensor]:
    """The diagonal of U, and the sign of the permutation P, in P L U."""
    swaps = pivots != torch.arange(1, pivots.shape[-1] + 1, dtype=pivots.dtype, device=pivots.device)
    return LU.diagonal(dim1=-2, dim2=-1), 1 - 2 * (swaps.sum(-1) % 2)


@lru_cache(maxsize=64)
def expansion(n: int, rows: int) -> tuple[list[list[int]], list[list[int]], list[int]]:
    """For every set S of ``rows`` of the n columns: its columns c, the numbers of the sets S∖c, and the signs."""
    smaller = {s: i for i, s in enumerate(itertools.combinations(range(n), rows - 1))}
    sets = list(itertools.combinations(range(n), rows))
    without = [[smaller[s[:i] + s[i + 1 :]] for i in range(rows)] for s in sets]
    return [list(s) for s in sets], without, [(-1) ** (rows - 1 - i) for i in range(rows)]


def expanded(A: Any) -> Any:
    """det A by Laplace's expansion of row after row, over the sets of columns: n·2ⁿ⁻¹ products and no division."""
    n = A.shape[-1]
    minors = A[..., 0, :]
    for rows in range(2, n + 1):
        columns, without, signs = expansion(n, rows)
        row = A[..., rows - 1, :][..., columns] * torch.tensor(signs, dtype=A.dtype, device=A.device)
        minors = (row * minors[..., without]).sum(-1)
    return minors[..., 0].clone() if n == 1 else minors[..., 0]


# -------------------------------------------------------------------------------------------------------- the polynomial


@rule("det", linalg.det)
def det(jet: Jet, func: Any, A: Jet) -> Any:
    """A polynomial, whose derivatives exist everywhere, at singular matrices and repeated singular values as well.

    Derivatives up to order K need minors down to n − K rows. The singular vectors U, V of A₀, which may be taken as
    constants since det A = det U · det(UᴴAV) · det Vᴴ for any, move the smallest K + 2 singular values into the block D
    of B = (B₁ B₂; B₃ D). Then det B = det B₁ · det(D − B₃B₁⁻¹B₂): the first by tr log(1 + N), which divides by large
    singular values only, the second by expansion, which does not divide. Small matrices are expanded at once.
    """
    n, small = A.shape[-1], max(depth(A) + 2, 4)
    if n <= small:
        return expanded(A) if n else torch.linalg.det(A.value)
    U, S, Vh = linalg.svd(at(A))
    B, r = U.mH @ A @ Vh.mH, n - small
    B_1, B_2, B_3, D = B[..., :r, :r], B[..., :r, r:], B[..., r:, :r], B[..., r:, r:]
    # Where even B₁ is singular the result is 0 to all these orders, whatever stands there.
    floor = torch.where(S[..., :1] > 0, S[..., :1] * tiny(A), 1.0)
    B_1 = B_1 + torch.diag_embed(torch.where(S[..., :r] < floor, floor, 0.0)).to(A.dtype)
    LU, pivots, _ = linalg.lu_factor_ex(B_1.value)
    diagonal, sign = pivoted(LU, pivots)
    first = torch.exp(log_ratio(jet, B_1, LU, pivots)) * (diagonal.prod(-1) * sign)
    return linalg.det(U) * linalg.det(Vh) * first * expanded(D - B_3 @ linalg.solve(B_1, B_2))


# --------------------------------------------------------------------------------------------------------- its logarithm


def log_determinant(jet: Jet, func: Any, A: Jet) -> tuple[Any, Any]:
    """Sign and log|det A|."""
    LU, pivots, info = linalg.lu_factor_ex(A.value)
    if anywhere(at(info) > 0):
        raise unsupported(func, jet, "A matrix is singular, where log|det A| has no derivatives. det itself has.")
    diagonal, parity = pivoted(LU, pivots)
    ratio = log_ratio(jet, A, LU, pivots)
    sign = torch.sgn(diagonal).prod(-1) * parity
    size = torch.log(torch.abs(diagonal)).sum(-1) + torch.real(ratio)
    return (sign * torch.exp(ratio - ratio.real) if A.is_complex() else sign), size


@rule("slogdet", linalg.slogdet)
def slogdet(jet: Jet, func: Any, A: Jet) -> Any:
    kind = types.linalg_slogdet if func is linalg.slogdet else types.slogdet
    return kind(log_determinant(jet, func, A))


@rule("logdet")
def logdet(jet: Jet, func: Any, A: Jet) -> Any:
    sign, size = log_determinant(jet, func, A)
    return torch.log(sign) + size
