"""Least squares and pseudo-inverses, of matrices of full rank and of those whose rank stays what it is."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from apolar.engine.jet import Jet, anywhere, unsupported
from apolar.rules.linear_equations import holds_vectors
from apolar.rules.matrices import at, mirrored, tiny
from apolar.rules.record import Kind
from apolar.rules.registry import composite, rule

linalg: Any = torch.linalg
types: Any = torch.return_types


# --------------------------------------------------------------------------------------------------------- least squares


def least_squares(A: Any, B: Any, rtol: Any) -> Any:
    """The X of least norm among those with the least ‖A·X − B‖: R⁻¹ Qᴴ B where A = Q R has full rank, else A⁺B."""
    if anywhere(linalg.matrix_rank(at(A), rtol=rtol) < min(A.shape[-2:])):
        return linalg.pinv(A, rtol=rtol) @ B
    if A.shape[-2] < A.shape[-1]:
        Q, R = linalg.qr(A.mH)
        return Q @ linalg.solve_triangular(R.mH, B, upper=False)
    Q, R = linalg.qr(A)
    return linalg.solve_triangular(R, Q.mH @ B, upper=True)


@composite(linalg.lstsq)
def lstsq(A: Any, B: Any, rcond: Any = None, *, driver: Any = None) -> Any:
    vector = holds_vectors(A, B)
    right = B.unsqueeze(-1) if vector else B
    X = least_squares(A, right, rcond)
    _, residuals, rank, singular = linalg.lstsq(at(A), at(B), rcond, driver=driver)
    if residuals.numel():
        residuals = (torch.abs(A @ X - right) ** 2).sum(-2).reshape(residuals.shape)
    singular = linalg.svdvals(A) if singular.numel() and isinstance(A, Jet) else singular
    return types.linalg_lstsq((X.squeeze(-1) if vector else X, residuals, rank, singular))


# ------------------------------------------------------------------------------------------------------- pseudo-inverses


@rule(linalg.pinv, kind=Kind.COMPOSITE)
def pinv(
    jet: Jet, func: Any, A: Jet, rcond: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None
) -> Any:
    """A⁺ = Rᴴ (LᴴA Rᴴ)⁻¹ Lᴴ, where the columns of L span the range of A and those of Rᴴ that of Aᴴ.

    With A₀ = U S Vᴴ of rank r and K = UᴴAV, these are L = A V K⁻¹ and R = K⁻¹UᴴA as long as A keeps the rank r, which is to
    say A = L K R. Columns of U and V beyond r are 0, and K has a 1 there: matrices in a batch may differ in rank.
    """
    A = mirrored(A) if hermitian else A
    U, S, Vh = linalg.svd(at(A), full_matrices=False)
    rank = linalg.matrix_rank(at(A), atol=atol, rtol=rcond if rtol is None else rtol).unsqueeze(-1)
    counts = torch.arange(S.shape[-1], device=S.device) < rank
    others = torch.diag_embed(~counts).to(A.dtype)
    U, V = U * counts.unsqueeze(-2), Vh.mH * counts.unsqueeze(-2)
    rows = U.mH @ A
    K = rows @ V + others
    L, R = linalg.solve(K, A @ V, left=False), linalg.solve(K, rows)
    deficient, counted = ~counts.all(-1), torch.where(counts, S, torch.inf)
    if anywhere(deficient) and anywhere(deficient & leaves_rank(jet, A, L, rows, counted)):
        raise unsupported(
            func, jet, "Singular values that count as 0 do not stay 0: where its rank changes the pseudo-inverse of a matrix "
            "jumps. Of the regularised (AᴴA + εI)⁻¹Aᴴ all derivatives exist; a smaller rtol cuts off less."
        )  # fmt: skip
    return R.mH @ linalg.solve(L.mH @ A @ R.mH + others, L.mH)


def leaves_rank(jet: Jet, A: Jet, L: Jet, R: Jet, S: Tensor) -> Tensor:
    """Whether A = L·R fails in some component by more than rounding errors, which grow like L with 1/σ."""
    size, bound = [magnitude(x) for x in A.components], [torch.ones_like(S[..., 0])]
    for k in range(1, jet.algebra.size):
        known = sum(abs(c) * bound[i] * size[j] for i, j, c in jet.algebra.product[k] if j)
        bound.append((size[k] + known) / S.amin(-1))
    error: Any = A - L @ R
    fails = [magnitude(e) > 100 * tiny(A) * b * size[0] for e, b in zip(error.components, bound, strict=True)]
    return torch.stack(fails).any(0)


def magnitude(x: Tensor) -> Tensor:
    """The Frobenius norm of each matrix; the largest of its components where it has such."""
    return magnitude(x.components).amax(0) if isinstance(x, Jet) else linalg.matrix_norm(x.detach())


@composite("pinverse")
def pinverse(A: Any, rcond: Any = 1e-15) -> Any:
    return linalg.pinv(A, rtol=rcond)
