"""Products of Householder reflectors H = 1 − τ v vᴴ, as LAPACK stores them: each v below a diagonal of ones."""

from __future__ import annotations

from typing import Any

import torch

from apolar.rules.registry import composite

linalg: Any = torch.linalg


def compact(A: Any, tau: Any) -> tuple[Any, Any]:
    """V and T with H₁H₂⋯Hₖ = 1 − V T Vᴴ: T = (1 + D·S)⁻¹D, where D = diag τ and S is VᴴV above its diagonal.

    Source: Schreiber and Van Loan, A storage-efficient WY representation for products of Householder transformations, 1989.
    """
    k = tau.shape[-1]
    V = A[..., :k].tril(-1) + torch.eye(A.shape[-2], k, dtype=A.dtype, device=A.device)
    D = torch.diag_embed(tau)
    return V, linalg.solve_triangular(D @ (V.mH @ V).triu(1), D, upper=True, unitriangular=True)


@composite("orgqr", linalg.householder_product)
def householder_product(A: Any, tau: Any) -> Any:
    """The first columns of H₁H₂⋯Hₖ."""
    V, T = compact(A, tau)
    m, n = A.shape[-2:]
    return torch.eye(m, n, dtype=A.dtype, device=A.device) - V @ (T @ V[..., :n, :].mH)


@composite("ormqr")
def ormqr(A: Any, tau: Any, C: Any, left: bool = True, transpose: bool = False) -> Any:
    """Q C or C Q with Q = H₁H₂⋯Hₖ, or with Qᴴ in its place."""
    V, T = compact(A, tau)
    T = T.mH if transpose else T
    return C - V @ (T @ (V.mH @ C)) if left else C - ((C @ V) @ T) @ V.mH
