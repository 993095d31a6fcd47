"""Factorisations into triangular and unitary matrices: Cholesky, LU, QR.

Component k of the product says what the rest R leaves for component k of the factors; the triangles tell them apart.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from apolar.jet import Jet, anywhere, unsupported
from apolar.rules.matrices import at, half, hermitian, identity, mirrored, rest, tiny
from apolar.rules.registry import composite, rule

linalg: Any = torch.linalg
types: Any = torch.return_types


# -------------------------------------------------------------------------------------------------------------- Cholesky


@rule("cholesky", linalg.cholesky)
def cholesky(jet: Jet, func: Any, A: Jet, upper: bool = False) -> Any:
    """L Lᴴ = A: with the rest R = Aₖ − Σ c LᵢLⱼᴴ over i, j ≥ 1, Lₖ = L₀ Φ(L₀⁻¹ R L₀⁻ᴴ)."""
    L = [linalg.cholesky(hermitian(A.value, upper))]

    def without(b: Tensor) -> Tensor:
        return linalg.solve_triangular(L[0], b, upper=False)

    for k, A_k in enumerate(mirrored(A, upper).components[1:], start=1):
        R = A_k - rest(jet, k, lambda x, y: x @ y.mH, L, L)
        L.append(L[0] @ half(without(without(R).mH)))
    out = jet.like(torch.stack(L))
    return out.mH if upper else out


@composite(linalg.cholesky_ex)
def cholesky_ex(A: Any, *, upper: bool = False, check_errors: bool = False) -> Any:
    info = linalg.cholesky_ex(hermitian(at(A), upper), check_errors=check_errors).info
    return types.linalg_cholesky_ex((A * torch.nan if anywhere(info > 0) else linalg.cholesky(A, upper=upper), info))


# -------------------------------------------------------------------------------------------------------------------- LU


@rule(linalg.lu_factor_ex)
def lu_factor_ex(jet: Jet, func: Any, A: Jet, *, pivot: bool = True, check_errors: bool = False) -> Any:
    """P L U = A with P constant: with R = (PᵀA)ₖ − Σ c LᵢUⱼ and M = L₀⁻¹ R U₀⁻¹, Lₖ = L₀ tril M and Uₖ = triu(M) U₀."""
    if A.shape[-1] != A.shape[-2]:
        raise unsupported(func, jet, "It needs a square matrix.")
    LU, pivots, info = func(A.value, pivot=pivot, check_errors=check_errors)
    P, L_0, U_0 = torch.lu_unpack(LU, pivots)
    L, U, both = [L_0], [U_0], [LU]
    for k, A_k in enumerate(A.components[1:], start=1):
        R = P.mT @ A_k - rest(jet, k, torch.matmul, L, U)
        M = linalg.solve_triangular(L_0, R, upper=False, unitriangular=True)
        M = linalg.solve_triangular(U_0, M, upper=True, left=False)
        L.append(L_0 @ M.tril(-1))
        U.append(M.triu() @ U_0)
        both.append(L[k] + U[k])
    return types.linalg_lu_factor_ex((jet.like(torch.stack(both)), pivots, info))


@composite(linalg.lu_factor)
def lu_factor(A: Any, *, pivot: bool = True) -> Any:
    return types.linalg_lu_factor(linalg.lu_factor_ex(A, pivot=pivot, check_errors=True)[:2])


@composite("lu")
def torch_lu(A: Any, pivot: bool = True, get_infos: bool = False) -> Any:
    return tuple(linalg.lu_factor_ex(A, pivot=pivot, check_errors=not get_infos))[: 2 + get_infos]


@composite("lu_unpack")
def lu_unpack(LU: Any, pivots: Any, unpack_data: bool = True, unpack_pivots: bool = True) -> Any:
    P, _, _ = torch.lu_unpack(at(LU), pivots, unpack_data, unpack_pivots)
    return types.lu_unpack((P, LU.tril(-1) + identity(LU), LU.triu()))


@composite(linalg.lu)
def lu(A: Any, *, pivot: bool = True) -> Any:
    return types.linalg_lu(torch.lu_unpack(*linalg.lu_factor_ex(A, pivot=pivot)[:2]))


# -------------------------------------------------------------------------------------------------------------------- QR


@rule(linalg.qr)
def qr(jet: Jet, func: Any, A: Jet, mode: str = "reduced") -> Any:
    """Q R = A with Qᴴ Q = 1.

    With B = Aₖ − Σ c QᵢRⱼ, G = Σ c QᵢᴴQⱼ and C = B R₀⁻¹: Q₀ᴴC = Ω + T, where T = RₖR₀⁻¹ is triangular and
    Ω + Ωᴴ = −G, so T is the upper triangle of Q₀ᴴC + CᴴQ₀ + G with half its diagonal; then Qₖ = C − Q₀T, Rₖ = T R₀.
    """
    m, n = A.shape[-2:]
    if mode == "complete" and m > n:
        raise unsupported(func, jet, f"The last {m - n} columns of Q span a null space; use mode='reduced'.")
    if m < n:
        Q, R = linalg.qr(A[..., :m])
        return types.linalg_qr((_no_q(Q, mode), torch.cat([R, Q.mH @ A[..., m:]], -1)))
    Q_0, R_0 = func(A.value)
    size = at(R_0).diagonal(dim1=-2, dim2=-1).abs()
    if n and anywhere(size.amin(-1) <= tiny(A) * size.amax(-1)):
        raise unsupported(func, jet, "The columns are linearly dependent, so that Q is not unique.")
    Qs, Rs = [Q_0], [R_0]
    for k, A_k in enumerate(A.components[1:], start=1):
        B = A_k - rest(jet, k, torch.matmul, Qs, Rs)
        C = linalg.solve_triangular(R_0, B, upper=True, left=False)
        M = Q_0.mH @ C
        T = half(M + M.mH + rest(jet, k, lambda x, y: x.mH @ y, Qs, Qs)).mH
        Qs.append(C - Q_0 @ T)
        Rs.append(T @ R_0)
    return types.linalg_qr((_no_q(jet.like(torch.stack(Qs)), mode), jet.like(torch.stack(Rs))))


def _no_q(Q: Any, mode: str) -> Any:
    return at(Q).new_empty(0) if mode == "r" else Q


@composite("qr")
def torch_qr(A: Any, some: bool = True) -> Any:
    return types.qr(linalg.qr(A, mode="reduced" if some else "complete"))
