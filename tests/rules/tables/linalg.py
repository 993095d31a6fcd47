# One case is one line, however long.
# fmt: off
# ruff: noqa: E501, E741
"""Linear algebra: inverses, determinants, factorisations, matrix functions."""

from __future__ import annotations

import torch

from ..case import Case, analytic, case, listed
from ..points import definite, normal, regular, triangular

R, RB, D, DB, T = regular(3, 3), regular(2, 3, 3), definite(3, 3), definite(2, 3, 3), triangular(3, 3)


def symmetric(x: torch.Tensor) -> torch.Tensor:
    """The symmetric part: factorisations read one triangle only."""
    return (x + x.mT) / 2


INVERSES = [
    analytic("inv", torch.linalg.inv, R),
    analytic("inv batches", torch.linalg.inv, RB),
    analytic("inverse", torch.inverse, R),
    analytic("Tensor.inverse", lambda x: x.inverse(), R),
    analytic("inv_ex", lambda x: torch.linalg.inv_ex(x).inverse, R),
    analytic("inv of a 1 × 1 matrix", torch.linalg.inv, lambda g: regular(1, 1)(g)),
    analytic("inv of size 0", torch.linalg.inv, normal(0, 3, 3)),
    analytic("solve", torch.linalg.solve, R, normal(3, 2)),
    analytic("solve vector", torch.linalg.solve, R, normal(3)),
    analytic("solve batches", torch.linalg.solve, RB, normal(2, 3, 2)),
    analytic("solve broadcast", torch.linalg.solve, R, normal(2, 3, 2)),
    analytic("solve vector for batches", torch.linalg.solve, RB, normal(2, 3)),
    analytic("solve from the right", lambda a, b: torch.linalg.solve(a, b, left=False), R, normal(2, 3)),
    analytic("solve_ex", lambda a, b: torch.linalg.solve_ex(a, b).result, R, normal(3, 2)),
    analytic("solve with a plain matrix", lambda b: torch.linalg.solve(torch.tensor([[2.0, 1.0], [0.5, 3.0]]).to(b.dtype), b**2), normal(2, 2)),
    analytic("solve with a plain right side", lambda a: torch.linalg.solve(a, torch.ones(3, 2).to(a.dtype)), R),
    analytic("tensorsolve", torch.linalg.tensorsolve, regular(6, 6), normal(6), oracle="chebyshev"),
    analytic("tensorinv", lambda a: torch.linalg.tensorinv(a.reshape(2, 3, 6), ind=2), regular(6, 6), oracle="chebyshev"),
    analytic("solve_triangular", lambda a, b: torch.linalg.solve_triangular(a, b, upper=False), T, normal(3, 2)),
    analytic("solve_triangular upper", lambda a, b: torch.linalg.solve_triangular(a.mT, b, upper=True), T, normal(3, 2)),
    analytic("solve_triangular unit", lambda a, b: torch.linalg.solve_triangular(a, b, upper=False, unitriangular=True), T, normal(3, 2)),
    analytic("solve_triangular right", lambda a, b: torch.linalg.solve_triangular(a, b, upper=False, left=False), T, normal(2, 3)),
    analytic("torch.triangular_solve", lambda b, a: torch.triangular_solve(b, a, upper=False).solution, normal(3, 2), T),
    case("cholesky_solve", lambda b, a: torch.cholesky_solve(b, a), normal(3, 2), T),
    case("cholesky_inverse", lambda a: torch.cholesky_inverse(a), T),
    case("lu_solve", lambda a, b: torch.linalg.lu_solve(*torch.linalg.lu_factor(a), b), R, normal(3, 2)),
    case("pinv", torch.linalg.pinv, normal(3, 2)),
    case("pinv wide", torch.linalg.pinv, normal(2, 4)),
    case("pinv square", torch.linalg.pinv, R),
    case("torch.pinverse", torch.pinverse, normal(3, 2)),
    case("pinv Hermitian", lambda x: torch.linalg.pinv(symmetric(x), hermitian=True), D),
    case("lstsq", lambda a, b: torch.linalg.lstsq(a, b).solution, normal(4, 2), normal(4, 3)),
]

DETERMINANTS = [
    analytic("det", torch.linalg.det, R),
    analytic("torch.det", torch.det, R),
    analytic("det batches", torch.linalg.det, RB),
    analytic("det at the identity", torch.linalg.det, lambda g: torch.eye(3).double()),
    analytic("det 1 × 1", torch.linalg.det, regular(1, 1)),
    analytic("det 2 × 2", torch.linalg.det, regular(2, 2)),
    analytic("det of a singular matrix", torch.linalg.det, lambda g: torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]).double(), tolerance=1e-7, refused="singular"),
    analytic("det of the zero matrix", torch.linalg.det, lambda g: torch.zeros(3, 3).double(), refused="singular"),
    case("slogdet", torch.linalg.slogdet, R),
    case("slogdet batches", lambda x: torch.slogdet(x).logabsdet, RB),
    case("slogdet of a negative determinant", lambda x: torch.linalg.slogdet(x)[1], lambda g: definite(3, 3)(g)[[1, 0, 2]]),
    case("logdet", torch.logdet, D),
    case("logdet batches", torch.logdet, DB),
]

MATRIX_FUNCTIONS = [
    *(analytic(f"matrix_power {n}", lambda x, n=n: torch.linalg.matrix_power(x, n), R) for n in (0, 1, 2, 3, 5, -1, -2)),
    analytic("torch.matrix_power", lambda x: torch.matrix_power(x, 3), RB),
    analytic("matrix_exp", torch.linalg.matrix_exp, normal(3, 3)),
    analytic("matrix_exp batches", torch.matrix_exp, normal(2, 2, 2)),
    case("matrix_exp of a nilpotent matrix", torch.matrix_exp, lambda g: normal(3, 3)(g).triu(1)),
]

FACTORISATIONS = [
    case("cholesky", lambda x: torch.linalg.cholesky(symmetric(x)), D),
    case("cholesky upper", lambda x: torch.linalg.cholesky(symmetric(x), upper=True), D),
    case("cholesky batches", lambda x: torch.linalg.cholesky(symmetric(x)), DB),
    case("torch.cholesky", lambda x: torch.cholesky(symmetric(x)), D),
    case("cholesky_ex", lambda x: torch.linalg.cholesky_ex(symmetric(x)).L, D),
    case("cholesky reads one triangle", torch.linalg.cholesky, D),
    case("qr", torch.linalg.qr, normal(4, 3)),
    case("qr square", torch.linalg.qr, R),
    case("qr r", lambda x: torch.linalg.qr(x, mode="r").R, normal(4, 3)),
    case("torch.qr", lambda x: torch.qr(x), normal(4, 3)),
    case("eigvalsh", lambda x: torch.linalg.eigvalsh(symmetric(x)), D),
    case("eigvalsh batches", lambda x: torch.linalg.eigvalsh(symmetric(x)), DB),
    case("eigh values", lambda x: torch.linalg.eigh(symmetric(x)).eigenvalues, D),
    case("eigh projectors", lambda x: (lambda e: torch.einsum("ik,jk->kij", e.eigenvectors, e.eigenvectors))(torch.linalg.eigh(symmetric(x))), D),
    case("matrix function by eigh", lambda x: (lambda l, q: (q * torch.sin(l)) @ q.mT)(*torch.linalg.eigh(symmetric(x))), D),
    case("svdvals", torch.linalg.svdvals, lambda g: torch.diag(torch.tensor([1.0, 3.0, 5.0])).double() + normal(3, 3)(g) / 5),
    case("svd values", lambda x: torch.linalg.svd(x, full_matrices=False).S, lambda g: torch.diag(torch.tensor([1.0, 3.0, 5.0])).double()[:, :2] + normal(3, 2)(g) / 5),
    case("svd projectors", lambda x: (lambda u, s, v: (u @ v) + torch.einsum("ik,jk->kij", u, u))(*torch.linalg.svd(x, full_matrices=False)), lambda g: torch.diag(torch.tensor([1.0, 3.0, 5.0])).double() + normal(3, 3)(g) / 5, refused="singular vectors"),
    case("lu", lambda x: torch.linalg.lu(x)[1:], lambda g: 3 * torch.eye(3).double() + normal(3, 3)(g) / 3, refused="rarely used"),
    case("lu_factor", lambda x: torch.linalg.lu_factor(x).LU, lambda g: 3 * torch.eye(3).double() + normal(3, 3)(g) / 3, refused="rarely used"),
    case("ldl_factor", lambda x: torch.linalg.ldl_factor(symmetric(x)).LD, D, refused="rarely used"),
    case("eigvals", lambda x: torch.linalg.eigvals(x).real.sort().values, D, refused="rarely used"),
    case("householder_product", lambda x, t: torch.linalg.householder_product(x, t), normal(4, 3), normal(3), refused="rarely used"),
    case("matrix_rank is a constant", lambda x: x * torch.linalg.matrix_rank(x), R),
    case("linalg.cond", lambda x: torch.linalg.cond(x, "fro"), R),
    case("linalg.vander", lambda x: torch.linalg.vander(x, N=4), normal(3)),
    case("Gaussian log density", lambda x, s: torch.distributions.MultivariateNormal(torch.zeros(3).double(), symmetric(s), validate_args=False).log_prob(x), normal(2, 3), D),
]

CASES: tuple[Case, ...] = listed(INVERSES + DETERMINANTS + MATRIX_FUNCTIONS + FACTORISATIONS)
