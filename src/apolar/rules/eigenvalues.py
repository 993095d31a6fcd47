"""Eigenvalues and singular values, with their vectors.

In the basis of the eigenvectors of A₀ the value is diagonal, and Rayleigh and Schrödinger's perturbation series gives the
other components one by one. It divides by differences of eigenvalues, so that equal ones are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from apolar.engine.jet import Jet, anywhere, unsupported
from apolar.rules.linear_equations import eliminated
from apolar.rules.matrices import at, identity, mirrored, rest
from apolar.rules.registry import composite, rule

linalg: Any = torch.linalg
types: Any = torch.return_types


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
    if not V_0.shape[-2]:
        return 1.0
    if not V.is_complex():
        row = V_0.abs().argmax(-2, keepdim=True)
        return torch.sign(at(V).gather(-2, row) * V_0.gather(-2, row))
    real = (V_0.imag.abs() < 100 * torch.finfo(V_0.dtype).eps) & (V_0.real != 0)
    row = (V_0.abs() + 2 * real).argmax(-2, keepdim=True)
    phase = V_0.gather(-2, row) * V.gather(-2, row).conj()
    return phase / torch.sqrt((phase * phase.conj()).real)


# ----------------------------------------------------------------------------------------------------------- eigenvalues


def eigh_of(jet: Jet, func: Any, A: Jet, UPLO: str, wanted: slice = slice(None)) -> tuple[Jet, Any]:
    """Of the Hermitian matrix that the triangle ``UPLO`` says."""
    A = mirrored(A, UPLO.upper() == "U")
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


# ------------------------------------------------------------------------------------------------------- singular values


def jordan_wielandt(jet: Jet, func: Any, A: Jet, wanted: slice = slice(None)) -> tuple[Any, Any, Any]:
    """U, S, V of a square matrix: (U; V) are eigenvectors of (0 A; Aᴴ 0) for the eigenvalues S, and (U; −V) for −S."""
    n = A.shape[-1]
    U_0, S_0, Vh_0 = linalg.svd(A.value)
    W = torch.cat([torch.cat([U_0, U_0], -1), torch.cat([Vh_0.mH, -Vh_0.mH], -1)], -2) * 0.5**0.5
    C = A.components
    H = torch.cat([torch.cat([C * 0, C], -1), torch.cat([C.mH, C * 0], -1)], -2)
    columns = slice(*wanted.indices(n))
    S, X = diagonalised(jet, func, (W.mH @ H @ W).unbind(0), torch.cat([S_0, -S_0], -1), columns)
    both = W @ X
    return unit(both[..., :n, :]), S, unit(both[..., n:, :])


@rule(linalg.svd)
def svd(jet: Jet, func: Any, A: Jet, full_matrices: bool = True, *, driver: Any = None) -> Any:
    """U S Vᴴ = A, by A = Q R or Aᴴ = Q R where it is not square.

    The columns N that make a basis of those of the larger factor have no equation but NᴴN = 1 and QᴴN = 0, and so a unitary
    factor is free: it is chosen such that N moves like the last columns of the complete Q.
    """
    m, n = A.shape[-2:]
    r = min(m, n)
    if m == n:
        U, S, V = jordan_wielandt(jet, func, A)
    else:
        Q, R = linalg.qr(A if m > n else A.mH, "complete" if full_matrices else "reduced")
        Q, N, R = Q[..., :r], Q[..., r:], R[..., :r, :]
        U, S, V = jordan_wielandt(jet, func, R if m > n else R.mH)
        U, V = (Q @ U, V) if m > n else (U, Q @ V)
    U_0, _, Vh_0 = func(at(A), full_matrices, driver=driver)
    V_0 = Vh_0.mH
    phase = turn(torch.cat([U, V], -2), torch.cat([U_0[..., :r], V_0[..., :r]], -2))
    U, V = U * phase, V * phase
    if full_matrices and m > n:
        U = torch.cat([U, N @ (at(N).mH @ U_0[..., r:])], -1)
    elif full_matrices and m < n:
        V = torch.cat([V, N @ (at(N).mH @ V_0[..., r:])], -1)
    return types.linalg_svd((U, S, V.mH))


@composite(linalg.svdvals)
def svdvals(A: Any, *, driver: Any = None) -> Any:
    return linalg.svd(A, full_matrices=False, driver=driver).S


@composite("svd")
def torch_svd(A: Any, some: bool = True, compute_uv: bool = True) -> Any:
    if not compute_uv:
        m, n = A.shape[-2:]
        zeros = (at(A).new_zeros(*A.shape[:-2], k, k) for k in (m, n))
        return types.svd((next(zeros), linalg.svdvals(A), next(zeros)))
    U, S, Vh = linalg.svd(A, full_matrices=not some)
    return types.svd((U, S, Vh.mH))
