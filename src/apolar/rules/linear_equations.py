"""Linear equations and inverses.

Since A₀Xₖ + Σ c AᵢXⱼ = Bₖ with i ≥ 1 in component k of A·X = B, one factorisation of A₀ solves all components in order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from apolar.engine.jet import Jet, anywhere, belongs, component_list, unsupported, value
from apolar.kernels import eager
from apolar.rules.matrices import at, everything, identity, tiny
from apolar.rules.products import align
from apolar.rules.record import Kind
from apolar.rules.registry import composite, rule

linalg: Any = torch.linalg
types: Any = torch.return_types


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


# ----------------------------------------------------------------------------------------------------- with one solution


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
    return types.triangular_solve((X, A.expand(*X.shape[:-2], -1, -1).clone()))


@composite("cholesky_solve")
def cholesky_solve(B: Any, L: Any, upper: bool = False) -> Any:
    """L Lᴴ X = B."""
    L = L.mH if upper else L
    return linalg.solve_triangular(L.mH, linalg.solve_triangular(L, B, upper=False), upper=True)


@rule("cholesky_inverse", kind=Kind.COMPOSITE)
def cholesky_inverse(jet: Jet, func: Any, L: Jet, upper: bool = False) -> Any:
    """(L Lᴴ)⁻¹; LAPACK takes the diagonal of L for real."""
    numbers = everything(L)
    size = linalg.matrix_norm(numbers).unsqueeze(-1)
    if L.is_complex() and anywhere(numbers.diagonal(dim1=-2, dim2=-1).imag.abs() > 100 * tiny(L) * size):
        raise unsupported(
            func, jet, "The diagonal of a Cholesky factor is real, and this one moves away from the real numbers. "
            "torch.cholesky_solve of the unit matrix has derivatives there."
        )  # fmt: skip
    return torch.cholesky_solve(identity(L), L, upper)


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
