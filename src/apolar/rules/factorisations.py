"""Factorisations into triangular and unitary matrices: Cholesky, LU, QR.

Component k of the product says what the rest R leaves for component k of the factors; the triangles tell them apart.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from apolar.engine.jet import Jet, anywhere, unsupported
from apolar.rules.matrices import at, half, hermitian, mirrored, rest, tiny, vanishes
from apolar.rules.registry import composite, rule

linalg: Any = torch.linalg
types: Any = torch.return_types


# -------------------------------------------------------------------------------------------------------------- Cholesky


@rule("cholesky", linalg.cholesky)
def cholesky(jet: Jet, func: Any, A: Jet, upper: bool = False) -> Any:
    """L Lᴴ = A: with the rest R = Aₖ − Σ c LᵢLⱼᴴ over i, j ≥ 1, Lₖ = L₀ Φ(L₀⁻¹ R L₀⁻ᴴ), with a real diagonal."""
    L = [linalg.cholesky(hermitian(A.value, upper))]

    def without(b: Tensor) -> Tensor:
        return linalg.solve_triangular(L[0], b, upper=False)

    for k, A_k in enumerate(mirrored(A, upper).components[1:], start=1):
        X = without(without(A_k - rest(jet, k, lambda x, y: x @ y.mH, L, L)).mH)
        L.append(L[0] @ half((X + X.mH) / 2))
    out = jet.like(torch.stack(L))
    return out.mH if upper else out


@composite(linalg.cholesky_ex)
def cholesky_ex(A: Any, *, upper: bool = False, check_errors: bool = False) -> Any:
    info = linalg.cholesky_ex(hermitian(at(A), upper), check_errors=check_errors).info
    return types.linalg_cholesky_ex((A * torch.nan if anywhere(info > 0) else linalg.cholesky(A, upper=upper), info))


# -------------------------------------------------------------------------------------------------------------------- LU


@rule(linalg.lu_factor_ex)
def lu_factor_ex(jet: Jet, func: Any, A: Jet, *, pivot: bool = True, check_errors: bool = False) -> Any:
    """P L U = A with P constant, from the leading square of B = PᵀA; its L and U give the rows and columns beyond it.

    With R = Bₖ − Σ c LᵢUⱼ over i, j ≥ 1, L₀⁻¹R = E U₀ + Uₖ where E = L₀⁻¹Lₖ is the triangle of L₀⁻¹R U₀⁻¹ below the
    diagonal. The last pivot has no part in it, and may be 0.
    """
    m, n = A.shape[-2:]
    r = min(m, n)
    LU, pivots, info = func(A.value, pivot=pivot, check_errors=check_errors)
    P, L_0, U_0 = torch.lu_unpack(LU, pivots)
    if vanishes(U_0, r - (m <= n), tiny(A)):
        raise unsupported(func, jet, "A pivot is 0, so that L is not unique.")
    B: Any = P.mT @ A
    L, U = [L_0[..., :r, :]], [U_0[..., :r]]
    last = torch.diag(torch.arange(1, r + 1, device=LU.device) == r)
    divisor = torch.where(last, 1.0, U[0])
    for k, B_k in enumerate(B.components[1:, ..., :r, :r], start=1):
        M = linalg.solve_triangular(L[0], B_k - rest(jet, k, torch.matmul, L, U), upper=False, unitriangular=True)
        E = linalg.solve_triangular(divisor, M, upper=True, left=False).tril(-1)
        L.append(L[0] @ E)
        U.append((M - E @ U[0]).triu())
    packed: Any = jet.like(torch.stack([x.tril(-1) + y for x, y in zip(L, U, strict=True)]))
    if m > n:
        below = linalg.solve_triangular(jet.like(torch.stack(U)), B[..., r:, :], upper=True, left=False)
        packed = torch.cat([packed, below], -2)
    elif m < n:
        beside = linalg.solve_triangular(jet.like(torch.stack(L)), B[..., r:], upper=False, unitriangular=True)
        packed = torch.cat([packed, beside], -1)
    return types.linalg_lu_factor_ex((packed, pivots, info))


@composite(linalg.lu_factor)
def lu_factor(A: Any, *, pivot: bool = True) -> Any:
    return types.linalg_lu_factor(linalg.lu_factor_ex(A, pivot=pivot, check_errors=True)[:2])


@composite("lu")
def torch_lu(A: Any, pivot: bool = True, get_infos: bool = False) -> Any:
    return tuple(linalg.lu_factor_ex(A, pivot=pivot))[: 2 + get_infos]


@composite("lu_unpack")
def lu_unpack(LU: Any, pivots: Any, unpack_data: bool = True, unpack_pivots: bool = True) -> Any:
    P, L, U = torch.lu_unpack(at(LU), pivots, unpack_data, unpack_pivots)
    if unpack_data:
        r = min(LU.shape[-2:])
        L = LU[..., :r].tril(-1) + torch.eye(LU.shape[-2], r, dtype=LU.dtype, device=LU.device)
        U = LU[..., :r, :].triu()
    return types.lu_unpack((P, L, U))


@composite(linalg.lu)
def lu(A: Any, *, pivot: bool = True) -> Any:
    P, L, U = torch.lu_unpack(*linalg.lu_factor_ex(A, pivot=pivot)[:2])
    return types.linalg_lu((P if pivot else P.new_empty(0), L, U))


# -------------------------------------------------------------------------------------------------------------------- QR


@rule(linalg.qr)
def qr(jet: Jet, func: Any, A: Jet, mode: str = "reduced") -> Any:
    """Q R = A with Qᴴ Q = 1.

    With B = Aₖ − Σ c QᵢRⱼ, G = Σ c QᵢᴴQⱼ and C = B R₀⁻¹: Q₀ᴴC = Ω + T, where T = RₖR₀⁻¹ is triangular and
    Ω + Ωᴴ = −G, so T is the upper triangle of Q₀ᴴC + CᴴQ₀ + G with half its diagonal; then Qₖ = C − Q₀T, Rₖ = T R₀.
    """
    m, n = A.shape[-2:]
    if m < n:
        Q, R = linalg.qr(A[..., :m])
        return types.linalg_qr((_no_q(Q, mode), torch.cat([R, Q.mH @ A[..., m:]], -1)))
    Q_0, R_0 = func(A.value)
    if vanishes(R_0, n, tiny(A)):
        raise unsupported(func, jet, "The columns are linearly dependent, so that Q is not unique.")
    Qs, Rs = [Q_0], [R_0]
    for k, A_k in enumerate(A.components[1:], start=1):
        B = A_k - rest(jet, k, torch.matmul, Qs, Rs)
        C = linalg.solve_triangular(R_0, B, upper=True, left=False)
        M = Q_0.mH @ C
        T = half(M + M.mH + rest(jet, k, lambda x, y: x.mH @ y, Qs, Qs)).mH
        Qs.append(C - Q_0 @ T)
        Rs.append(T @ R_0)
    Q, R = jet.like(torch.stack(Qs)), jet.like(torch.stack(Rs))
    if mode == "complete" and m > n:
        below = torch.zeros(*R.shape[:-2], m - n, n, dtype=R.dtype, device=R.device)
        Q, R = torch.cat([Q, complement(Q, A)], -1), torch.cat([R, below], -2)
    return types.linalg_qr((_no_q(Q, mode), R))


def complement(Q: Any, A: Any) -> Any:
    """The last columns of H₁H₂⋯Hₙ, the product of reflectors that LAPACK calls Q in its complete form.

    H₁⋯Hₙ = 1 − V T Vᴴ with V lower trapezoidal. With E = (1; 0) and F = (0; 1) its first columns say E − Q = V T V₁ᴴ, and so
    the last ones are F − V T V₂ᴴ = F + (E − Q)(1 − Q₁)⁻ᴴ Q₂ᴴ. A reflector that is 1 is replaced by that with v = eⱼ, which
    changes the sign of column j and nothing else, and keeps 1 − Q₁ regular.

    Source: Ballard, Demmel, Grigori, Jacquelin, Knight, Nguyen, Reconstructing Householder vectors from tall-skinny QR, 2015.
    """
    m, n = Q.shape[-2:]
    Q = Q * torch.where(torch.geqrf(at(A)).tau == 0, -1.0, 1.0).to(Q.dtype).unsqueeze(-2)
    eye = torch.eye(m, dtype=Q.dtype, device=Q.device)
    return eye[:, n:] + (eye[:, :n] - Q) @ linalg.solve(eye[:n, :n] - Q[..., :n, :].mH, Q[..., n:, :].mH)


def _no_q(Q: Any, mode: str) -> Any:
    return at(Q).new_empty(0) if mode == "r" else Q


@composite("qr")
def torch_qr(A: Any, some: bool = True) -> Any:
    return types.qr(linalg.qr(A, mode="reduced" if some else "complete"))
