"""Linear algebra: what a matrix equation or a factorisation determines, component by component.

Every rule differentiates the equation that defines the result. In component k of A·X = B the unknown Xₖ stands with the
value A₀ alone, A₀Xₖ + Σ c AᵢXⱼ = Bₖ with i ≥ 1, so that one factorisation of A₀ solves all of them in order.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from apolar.jet import Jet, belongs, component_list, unsupported, value
from apolar.kernels import eager
from apolar.rules.products import align
from apolar.rules.reductions import plain
from apolar.rules.registry import composite, rule
from apolar.rules.shapes import axis

linalg: Any = torch.linalg
types: Any = torch.return_types


def rest(jet: Jet, k: int, multiply: Callable[[Any, Any], Tensor], g: Sequence[Tensor], h: Sequence[Tensor]) -> Any:
    """Σ c·multiply(gᵢ, hⱼ) over i, j ≥ 1: component k of a product without g₀hₖ and gₖh₀."""
    return sum((multiply(g[i], h[j]) * c for i, j, c in jet.algebra.nilpotent[k]), 0.0)


def anywhere(condition: Tensor) -> bool:
    """Whether a condition on values holds in one of the matrices of a batch, torch.func's batches included."""
    return bool(torch.func.debug_unwrap(condition, recurse=True).any())


def at(x: Any) -> Tensor:
    """The value of a jet of jets as a constant."""
    return plain(x).detach()


def tiny(x: Tensor) -> float:
    """The relative size of a rounding error in a matrix like ``x``."""
    return max(x.shape[-2:]) * torch.finfo(x.dtype).eps


def half(x: Tensor) -> Tensor:
    """Φ(X): the lower triangle with half the diagonal, so that Φ(X) + Φ(X)ᴴ = X for Hermitian X."""
    mask = torch.ones(x.shape[-2:], dtype=x.dtype, device=x.device).tril()
    return x * (mask - mask.triu() / 2)


def hermitian(A: Tensor, upper: bool = False) -> Tensor:
    """The Hermitian matrix of which the factorisations read one triangle."""
    lower = half(A.mH if upper else A)
    return lower + lower.mH


def identity(A: Any) -> Tensor:
    """The unit matrix of the size of ``A``."""
    return torch.eye(A.shape[-1], dtype=A.dtype, device=A.device)


# ----------------------------------------------------------------------------------------------------- linear equations


def divided(jet: Jet, A: Any, B: Any, invert: Callable[[Any], Tensor]) -> Jet:
    """X with A·X = B, where ``invert`` divides by the value of A."""
    if not belongs(A, jet):
        return jet.like(invert(align(B, A.ndim)))
    return jet.like(eager.divide(jet.algebra, invert, torch.matmul, A.components.unbind(0), component_list(B, jet)))


def holds_vectors(A: Any, B: Any) -> bool:
    """Whether torch takes the right sides for vectors, one for each matrix."""
    return B.ndim == 1 or (B.ndim == A.ndim - 1 and B.shape == A.shape[:-1])


def eliminated(LU: Any, pivots: Tensor) -> Callable[[Any], Any]:
    """b ↦ (P L U)⁻¹ b. (torch's own lu_solve, in 2.13, is wrong under vmap where b has more axes than the matrix.)"""
    Pt = torch.lu_unpack(at(LU), pivots, unpack_data=False).P.mT

    def invert(b: Any) -> Any:
        y = linalg.solve_triangular(LU, Pt @ b, upper=False, unitriangular=True)
        return linalg.solve_triangular(LU, y, upper=True)

    return invert


@rule(linalg.solve)
def solve(jet: Jet, func: Any, A: Any, B: Any, *, left: bool = True) -> Any:
    """A·X = B, or X·A = B."""
    if holds_vectors(A, B):
        return linalg.solve(A, B.unsqueeze(-1), left=left).squeeze(-1)
    if not left:
        return linalg.solve(A.mT, B.mT).mT
    LU, pivots, info = linalg.lu_factor_ex(value(A, jet))
    if anywhere(at(info) > 0):
        raise linalg.LinAlgError(f"{func.__name__}: the matrix is singular, so that A·X = B has no unique solution")
    return divided(jet, A, B, eliminated(LU, pivots))


@composite("inverse", linalg.inv)
def inv(A: Any) -> Any:
    """A·X = 1."""
    return linalg.solve(A, identity(A).expand(A.shape))


@composite(linalg.inv_ex)
def inv_ex(A: Any, *, check_errors: bool = False) -> Any:
    return types.linalg_inv_ex((linalg.inv(A), linalg.inv_ex(at(A)).info))


@composite(linalg.solve_ex)
def solve_ex(A: Any, B: Any, *, left: bool = True, check_errors: bool = False) -> Any:
    return types.linalg_solve_ex((linalg.solve(A, B, left=left), linalg.inv_ex(at(A)).info))


@rule(linalg.solve_triangular)
def solve_triangular(
    jet: Jet, func: Any, A: Any, B: Any, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Any:
    """A·X = B, where only one triangle of A counts, without its diagonal if that is taken to be 1."""
    if not left:
        return func(A.mT, B.mT, upper=not upper, unitriangular=unitriangular).mT
    if belongs(A, jet):
        A = A.triu(int(unitriangular)) if upper else A.tril(-int(unitriangular))
    A_0 = value(A, jet)
    return divided(jet, A, B, lambda b: func(A_0, b, upper=upper, unitriangular=unitriangular))


@composite("triangular_solve")
def triangular_solve(B: Any, A: Any, upper: bool = True, transpose: bool = False, unitriangular: bool = False) -> Any:
    M = A.mT if transpose else A
    X = linalg.solve_triangular(M, B, upper=upper != transpose, unitriangular=unitriangular)
    return types.triangular_solve((X, A.triu() if upper else A.tril()))


@composite("cholesky_solve")
def cholesky_solve(B: Any, L: Any, upper: bool = False) -> Any:
    """L Lᴴ X = B."""
    L = L.mH if upper else L
    return linalg.solve_triangular(L.mH, linalg.solve_triangular(L, B, upper=False), upper=True)


@composite("cholesky_inverse")
def cholesky_inverse(L: Any, upper: bool = False) -> Any:
    return torch.cholesky_solve(identity(L), L, upper)


def least_squares(jet: Jet, func: Any, A: Any, B: Any, **tolerances: Any) -> Any:
    """The X of least norm among those with the least ‖A·X − B‖: R⁻¹ Qᴴ B, where A = Q R has full rank."""
    if anywhere(linalg.matrix_rank(at(A), **tolerances) < min(A.shape[-2:])):
        raise unsupported(func, jet, "Where a matrix has not full rank its pseudo-inverse jumps and has no derivative.")
    if A.shape[-2] < A.shape[-1]:
        Q, R = linalg.qr(A.mH)
        return Q @ linalg.solve_triangular(R.mH, B, upper=False)
    Q, R = linalg.qr(A)
    return linalg.solve_triangular(R, Q.mH @ B, upper=True)


@rule(linalg.lstsq, kind="composite")
def lstsq(jet: Jet, func: Any, A: Any, B: Any, rcond: Any = None, *, driver: Any = None) -> Any:
    vector = holds_vectors(A, B)
    right = B.unsqueeze(-1) if vector else B
    X = least_squares(jet, func, A, right, rtol=rcond)
    _, residuals, rank, singular = func(at(A), at(B), rcond, driver=driver)
    if residuals.numel():
        residuals = (torch.abs(A @ X - right) ** 2).sum(-2).reshape(residuals.shape)
    singular = linalg.svdvals(A) if singular.numel() and isinstance(A, Jet) else singular
    return types.linalg_lstsq((X.squeeze(-1) if vector else X, residuals, rank, singular))


@rule("pinverse", linalg.pinv, kind="composite")
def pinv(
    jet: Jet, func: Any, A: Any, rcond: Any = 1e-15, hermitian: bool = False, *, atol: Any = None, rtol: Any = None
) -> Any:
    A = _mirrored(A) if hermitian else A
    eye = torch.eye(A.shape[-2], dtype=A.dtype, device=A.device).expand(*A.shape[:-2], -1, -1)
    return least_squares(jet, func, A, eye, atol=atol, rtol=rcond if rtol is None and rcond != 1e-15 else rtol)


@composite(linalg.tensorsolve)
def tensorsolve(A: Any, B: Any, dims: Any = None) -> Any:
    """A as a matrix from the last axes to those of B."""
    if dims is not None:
        A = A.movedim(tuple(dims), tuple(range(-len(dims), 0)))
    X = linalg.solve(A.reshape(B.numel(), -1), B.reshape(-1))
    return X.reshape(A.shape[B.ndim :])


@composite(linalg.tensorinv)
def tensorinv(A: Any, ind: int = 2) -> Any:
    n = math.prod(A.shape[:ind])
    return linalg.inv(A.reshape(n, -1)).reshape(A.shape[ind:] + A.shape[:ind])


# ------------------------------------------------------------------------------------------------------- factorisations


def _mirrored(A: Jet, upper: bool = False) -> Jet:
    return A.like(hermitian(A.components, upper))


@rule("cholesky", linalg.cholesky)
def cholesky(jet: Jet, func: Any, A: Jet, upper: bool = False) -> Any:
    """L Lᴴ = A: with the rest R = Aₖ − Σ c LᵢLⱼᴴ over i, j ≥ 1, Lₖ = L₀ Φ(L₀⁻¹ R L₀⁻ᴴ)."""
    L = [linalg.cholesky(hermitian(A.value, upper))]

    def without(b: Tensor) -> Tensor:
        return linalg.solve_triangular(L[0], b, upper=False)

    for k, A_k in enumerate(_mirrored(A, upper).components[1:], start=1):
        R = A_k - rest(jet, k, lambda x, y: x @ y.mH, L, L)
        L.append(L[0] @ half(without(without(R).mH)))
    out = jet.like(torch.stack(L))
    return out.mH if upper else out


@composite(linalg.cholesky_ex)
def cholesky_ex(A: Any, *, upper: bool = False, check_errors: bool = False) -> Any:
    info = linalg.cholesky_ex(hermitian(at(A), upper), check_errors=check_errors).info
    return types.linalg_cholesky_ex((A * torch.nan if anywhere(info > 0) else linalg.cholesky(A, upper=upper), info))


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


@composite(linalg.lu_solve)
def lu_solve(LU: Any, pivots: Any, B: Any, *, left: bool = True, adjoint: bool = False) -> Any:
    """P L U X = B, or (P L U)ᴴ X = B."""
    if not left:
        return linalg.lu_solve(LU, pivots, B.mH, adjoint=not adjoint).mH
    if not adjoint:
        return eliminated(LU, pivots)(B)
    Y = linalg.solve_triangular(LU.mH, B, upper=False)
    P = torch.lu_unpack(at(LU), pivots, unpack_data=False).P
    return P @ linalg.solve_triangular(LU.mH, Y, upper=True, unitriangular=True)


composite("lu_solve")(lambda B, LU, pivots: linalg.lu_solve(LU, pivots, B))


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


# -------------------------------------------------------------------------------------------------- eigenvalue problems


def diagonalised(jet: Jet, func: Any, A: Sequence[Tensor], eigenvalues: Tensor, wanted: slice) -> tuple[Jet, Jet]:
    """Eigenvalues and vectors of a matrix whose value is diagonal, by Rayleigh and Schrödinger's perturbation series.

    A X = X Λ with the diagonal of X equal to 1. Component k with M = Aₖ + Σ c (AᵢXⱼ − XᵢΛⱼ) over i, j ≥ 1 says
    (λ_b − λ_a) Xₖ[a, b] = M[a, b] for a ≠ b, and Λₖ[b] = M[b, b]. The columns do not need each other.
    """
    eye = identity(A[0])[:, wanted]
    gaps = eigenvalues[..., None, wanted] - eigenvalues[..., :, None]
    size = at(eigenvalues).abs().amax(-1) if eigenvalues.shape[-1] else at(eigenvalues).sum(-1)
    distance = at(gaps).abs() + torch.where(eye.real > 0, torch.inf, 0.0)
    if distance.numel() and anywhere(distance.amin((-2, -1)) <= torch.finfo(size.dtype).eps ** 0.5 * size):
        raise unsupported(
            func, jet, "Two eigenvalues (or singular values) coincide, or one singular value is 0: single ones are not "
            "differentiable there. Functions of the whole matrix, such as det, inv or matrix_exp, are."
        )  # fmt: skip
    values, X = [eigenvalues[..., wanted]], [eye.expand(gaps.shape)]
    for k in range(1, jet.algebra.size):
        M = A[k][..., wanted] + rest(jet, k, torch.matmul, A, X)
        M = M - rest(jet, k, lambda x, slope: x * slope.unsqueeze(-2), X, values)
        slope = (M * eye).sum(-2)
        values.append(slope if eigenvalues.is_complex() else slope.real)
        X.append(M * (1 - eye) / (gaps + eye))
    return jet.like(torch.stack(values)), jet.like(torch.stack(X))


def unit(V: Any) -> Any:
    """Columns of length 1."""
    return V / torch.sqrt((V * V.conj()).real.sum(-2, keepdim=True))


def turn(V: Any, V_0: Any) -> Any:
    """Factors of modulus 1 that give the columns torch's signs or phases: its largest real entry stays real."""
    V_0 = at(V_0)
    if not V.is_complex():
        row = V_0.abs().argmax(-2, keepdim=True)
        return torch.sign(at(V).gather(-2, row) * V_0.gather(-2, row))
    real = (V_0.imag.abs() < 100 * torch.finfo(V_0.dtype).eps) & (V_0.real != 0)
    row = (V_0.abs() + 2 * real).argmax(-2, keepdim=True)
    phase = V_0.gather(-2, row) * V.gather(-2, row).conj()
    return phase / torch.sqrt((phase * phase.conj()).real)


def eigh_of(jet: Jet, func: Any, A: Jet, UPLO: str, wanted: slice = slice(None)) -> tuple[Jet, Any]:
    """Of the Hermitian matrix that the triangle ``UPLO`` says."""
    A = _mirrored(A, UPLO.upper() == "U")
    eigenvalues, V_0 = linalg.eigh(A.value, UPLO)
    values, X = diagonalised(jet, func, (V_0.mH @ A.components @ V_0).unbind(0), eigenvalues, wanted)
    V = unit(V_0 @ X)
    return values, V * turn(V, V_0[..., wanted])


@rule(linalg.eigh)
def eigh(jet: Jet, func: Any, A: Jet, UPLO: str = "L") -> Any:
    """A V = V Λ, Vᴴ V = 1."""
    return types.linalg_eigh(eigh_of(jet, func, A, UPLO))


@rule(linalg.eigvalsh)
def eigvalsh(jet: Jet, func: Any, A: Jet, UPLO: str = "L") -> Any:
    return eigh_of(jet, func, A, UPLO)[0]


@rule(linalg.eig)
def eig(jet: Jet, func: Any, A: Jet) -> Any:
    """A V = V Λ, columns of length 1 whose largest entry is real."""
    eigenvalues, V_0 = linalg.eig(A.value)
    B = eliminated(*linalg.lu_factor(V_0))(A.components.to(V_0.dtype) @ V_0)
    values, X = diagonalised(jet, func, B.unbind(0), eigenvalues, slice(None))
    V = unit(V_0 @ X)
    return types.linalg_eig((values, V * turn(V, V_0)))


composite(linalg.eigvals)(lambda A: linalg.eig(A).eigenvalues)


def jordan_wielandt(jet: Jet, func: Any, A: Jet) -> tuple[Any, Any, Any]:
    """U, S, V of a square matrix: (U; V) are eigenvectors of (0 A; Aᴴ 0) for the eigenvalues S, and (U; −V) for −S."""
    n = A.shape[-1]
    U_0, S_0, Vh_0 = linalg.svd(A.value)
    W = torch.cat([torch.cat([U_0, U_0], -1), torch.cat([Vh_0.mH, -Vh_0.mH], -1)], -2) * 0.5**0.5
    C = A.components
    H = torch.cat([torch.cat([C * 0, C], -1), torch.cat([C.mH, C * 0], -1)], -2)
    S, X = diagonalised(jet, func, (W.mH @ H @ W).unbind(0), torch.cat([S_0, -S_0], -1), slice(n))
    both = W @ X
    return unit(both[..., :n, :]), S, unit(both[..., n:, :])


@rule(linalg.svd)
def svd(jet: Jet, func: Any, A: Jet, full_matrices: bool = True, *, driver: Any = None) -> Any:
    """U S Vᴴ = A, by A = Q R or Aᴴ = Q R where it is not square."""
    m, n = A.shape[-2:]
    if m == n:
        U, S, V = jordan_wielandt(jet, func, A)
    elif full_matrices:
        raise unsupported(func, jet, "The singular vectors of a null space are not unique: use full_matrices=False.")
    else:
        Q, R = linalg.qr(A if m > n else A.mH)
        U, S, V = jordan_wielandt(jet, func, R if m > n else R.mH)
        U, V = (Q @ U, V) if m > n else (U, Q @ V)
    U_0, _, Vh_0 = func(at(A), False, driver=driver)
    phase = turn(torch.cat([U, V], -2), torch.cat([U_0, Vh_0.mH], -2))
    return types.linalg_svd((U * phase, S, (V * phase).mH))


@composite(linalg.svdvals)
def svdvals(A: Any, *, driver: Any = None) -> Any:
    return linalg.svd(A, full_matrices=False, driver=driver).S


@composite("svd")
def torch_svd(A: Any, some: bool = True, compute_uv: bool = True) -> Any:
    U, S, Vh = linalg.svd(A, full_matrices=not some and compute_uv)
    return types.svd((U, S, Vh.mH) if compute_uv else (torch.zeros_like(at(U)), S, torch.zeros_like(at(Vh.mH))))


# --------------------------------------------------------------------------------------------------------- determinants


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
    return minors[..., 0]


def depth(x: Any) -> int:
    """How many derivatives are taken of a value, jets of jets counted together."""
    return x.algebra.order + depth(x.components) if isinstance(x, Jet) else 0


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


# ----------------------------------------------------------------------------------------------------- matrix functions


@composite("matrix_power", linalg.matrix_power)
def matrix_power(A: Any, n: int) -> Any:
    """By repeated squaring."""
    if n < 0:
        return matrix_power(linalg.inv(A), -n)
    if n == 0:
        return identity(A).expand(A.shape)
    root = matrix_power(A, n // 2) if n > 1 else A
    square = root @ root if n > 1 else A
    return square @ A if n > 1 and n % 2 else square


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


# ---------------------------------------------------------------------------------------------------------------- norms


@rule(linalg.matrix_norm, kind="composite")
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
        out = linalg.svdvals(A)[..., -1]
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
        S = linalg.svdvals(A)
        return S[..., -1] / S[..., 0] if p == -2 else S[..., 0] / S[..., -1]
    return linalg.matrix_norm(A, p) * linalg.matrix_norm(linalg.inv(A), p)


@composite(linalg.vander)
def vander(x: Any, *, N: int | None = None) -> Any:
    """Powers 0 to N − 1 on a new last axis."""
    return torch.stack([x**k for k in range(x.shape[-1] if N is None else N)], -1)


@composite("vander")
def torch_vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    columns = linalg.vander(x, N=N)
    return columns if increasing else columns.flip(-1)
