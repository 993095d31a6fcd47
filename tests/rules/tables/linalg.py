# One case is one line, however long.
# fmt: off
# ruff: noqa: E501, E741
"""Linear algebra: linear equations, determinants, factorisations and eigenvalues, matrix functions."""

from __future__ import annotations

import torch

from tests.oracles.lines import Function, leaves

from ..case import Case, analytic, case, listed
from ..points import Maker, definite, normal, regular, triangular

R, RB, D, DB, T = regular(3, 3), regular(2, 3, 3), definite(3, 3), definite(2, 3, 3), triangular(3, 3)


def symmetric(x: torch.Tensor) -> torch.Tensor:
    """The symmetric part: factorisations read one triangle only."""
    return (x + x.mT) / 2


def spectrum(*singular_values: float) -> Maker:
    """Matrices with these singular values."""

    def make(g: torch.Generator) -> torch.Tensor:
        n = len(singular_values)
        u, v = (torch.linalg.qr(torch.randn(n, n, generator=g, dtype=torch.float64))[0] for _ in range(2))
        return u @ torch.diag(torch.tensor(singular_values, dtype=torch.float64)) @ v

    return make


def dominant(*shape: int) -> Maker:
    """Matrices whose leading diagonal is large: pivots and reflectors keep their signs and places."""
    return lambda g: normal(*shape)(g) + 5 * torch.eye(*shape[-2:], dtype=torch.float64)


def complexified(f: Function) -> Function:
    """f of X + iY, as real and imaginary parts."""
    return lambda x, y: [torch.view_as_real(z + 0j) for z in leaves(f(torch.complex(x, y)))]


SIZE_0 = [
    ("eig", lambda x: torch.linalg.eig(x).eigenvectors.real, [(0, 0), (0, 3, 3), (2, 0, 0)]),
    ("eigvals", lambda x: torch.linalg.eigvals(x).real, [(0, 0), (0, 3, 3)]),
    ("eigh", torch.linalg.eigh, [(0, 0), (0, 3, 3), (2, 0, 0)]),
    ("eigvalsh", torch.linalg.eigvalsh, [(0, 0), (0, 3, 3)]),
    ("svd", torch.linalg.svd, [(0, 0), (0, 3), (3, 0), (0, 3, 2)]),
    ("svd reduced", lambda x: torch.svd(x), [(0, 0), (0, 3), (3, 0), (0, 3, 2)]),
    ("svdvals", torch.linalg.svdvals, [(0, 0), (3, 0), (0, 2, 2)]),
    ("qr", lambda x: torch.linalg.qr(x, mode="complete"), [(0, 0), (0, 3), (3, 0), (0, 3, 2)]),
    ("lu", lambda x: torch.linalg.lu(x)[1:], [(0, 0), (0, 3), (3, 0), (0, 3, 2)]),
    ("pinv", torch.linalg.pinv, [(0, 0), (0, 3), (3, 0), (0, 3, 2)]),
    *((f"matrix_norm {p}", lambda x, p=p: torch.linalg.matrix_norm(x, p), [(0, 3, 2)]) for p in ("fro", "nuc", 1, -1, 2, -2, torch.inf)),
]


def hermitian(z: torch.Tensor) -> torch.Tensor:
    """The Hermitian part."""
    return (z + z.mH) / 2


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
    case("lu_solve from the right", lambda a, b: torch.linalg.lu_solve(*torch.linalg.lu_factor(a), b, left=False), R, normal(2, 3)),
    case("lu_solve adjoint", lambda a, b: torch.linalg.lu_solve(*torch.linalg.lu_factor(a), b, adjoint=True), R, normal(3, 2)),
    case("lu_solve adjoint from the right", lambda a, b: torch.linalg.lu_solve(*torch.linalg.lu_factor(a), b, left=False, adjoint=True), R, normal(2, 3)),
    case("torch.lu and torch.lu_solve", lambda a, b: torch.lu_solve(b, *torch.lu(a)), R, normal(3, 2)),
    case("cholesky_solve upper", lambda b, a: torch.cholesky_solve(b, a, upper=True), normal(3, 2), triangular(3, 3)),
    case("cholesky_inverse upper", lambda a: torch.cholesky_inverse(a, upper=True), R),
    case("torch.triangular_solve transposed", lambda b, a: torch.triangular_solve(b, a, upper=True, transpose=True).solution, normal(3, 2), lambda g: triangular(3, 3)(g).mT.contiguous()),
    case("inv complex", complexified(torch.linalg.inv), spectrum(3.0, 2.5, 2.0), lambda g: normal(3, 3)(g) / 9),
    case("solve complex", complexified(lambda z: torch.linalg.solve(z, z.mT)), spectrum(3.0, 2.5, 2.0), lambda g: normal(3, 3)(g) / 9),
    analytic("solve of size 6", torch.linalg.solve, regular(6, 6), normal(6)),
    analytic("tensorsolve axes", lambda a, b: torch.linalg.tensorsolve(a.reshape(2, 6, 3), b, dims=(0, 2)), lambda g: regular(6, 6)(g).reshape(6, 2, 3).transpose(0, 1).reshape(6, 6).contiguous(), normal(6), oracle="chebyshev"),
    case("pinv complex", complexified(torch.linalg.pinv), normal(4, 2), normal(4, 2)),
    case("lstsq wide", lambda a, b: torch.linalg.lstsq(a, b).solution, normal(2, 4), normal(2, 3)),
    case("lstsq vectors", lambda a, b: torch.linalg.lstsq(a, b).solution, normal(2, 4, 3), normal(2, 4)),
    case("lstsq residuals", lambda a, b: (lambda r: (r.residuals, r.singular_values))(torch.linalg.lstsq(a, b, driver="gelsd")), normal(4, 2), normal(4, 3)),
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
    *(analytic(f"det of rank {n} of 7", torch.linalg.det, spectrum(*[1.5] * n, *[0.0] * (7 - n))) for n in (3, 4, 5, 6)),
    analytic("det 7 × 7 zero", torch.linalg.det, lambda g: torch.zeros(7, 7).double()),
    analytic("det 7 × 7 at the identity", torch.linalg.det, lambda g: torch.eye(7).double()),
    analytic("det 7 × 7 graded", torch.linalg.det, spectrum(2.0, 1.5, 1.0, 1e-3, 1e-5, 1e-8, 1e-12)),
    analytic("det of unlike batches", torch.linalg.det, lambda g: torch.stack([torch.eye(7).double(), torch.zeros(7, 7).double(), normal(7, 7)(g), spectrum(1, 1, 1, 1, 1, 0, 0)(g)])),
    case("det complex", complexified(torch.linalg.det), normal(7, 7), normal(7, 7)),
    case("slogdet complex", complexified(torch.linalg.slogdet), spectrum(3.0, 2.5, 2.0), lambda g: normal(3, 3)(g) / 9),
    case("logdet complex", complexified(torch.logdet), D, normal(3, 3)),
]

MATRIX_FUNCTIONS = [
    *(analytic(f"matrix_power {n}", lambda x, n=n: torch.linalg.matrix_power(x, n), R) for n in (0, 1, 2, 3, 5, -1, -2)),
    analytic("torch.matrix_power", lambda x: torch.matrix_power(x, 3), RB),
    analytic("matrix_exp", torch.linalg.matrix_exp, normal(3, 3)),
    analytic("matrix_exp batches", torch.matrix_exp, normal(2, 2, 2)),
    case("matrix_exp of a nilpotent matrix", torch.matrix_exp, lambda g: normal(3, 3)(g).triu(1)),
    analytic("matrix_exp of zero", torch.matrix_exp, lambda g: torch.zeros(3, 3).double()),
    analytic("matrix_exp of unlike batches", torch.matrix_exp, lambda g: torch.stack([torch.zeros(3, 3).double(), 4 * normal(3, 3)(g), -9 * torch.eye(3).double()])),
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
    case("lu", lambda x: torch.linalg.lu(x)[1:], lambda g: 3 * torch.eye(3).double() + normal(3, 3)(g) / 3),
    case("lu_factor", lambda x: torch.linalg.lu_factor(x).LU, lambda g: 3 * torch.eye(3).double() + normal(3, 3)(g) / 3),
    case("ldl_factor", lambda x: torch.linalg.ldl_factor(symmetric(x)).LD, D, refused="rarely used"),
    case("eigvals", lambda x: torch.linalg.eigvals(x).real.sort().values, D),
    case("householder_product", lambda x, t: torch.linalg.householder_product(x, t), normal(4, 3), normal(3)),
    case("householder_product of batches and few reflectors", torch.linalg.householder_product, normal(2, 4, 3), normal(2, 2)),
    case("householder_product complex", lambda x, y, t, u: torch.view_as_real(torch.linalg.householder_product(torch.complex(x, y), torch.complex(t, u))), normal(4, 3), normal(4, 3), normal(3), normal(3)),
    *(case(f"ormqr left={left}, transpose={transpose}", lambda x, t, c, left=left, transpose=transpose: torch.ormqr(x, t, c if left else c.mT, left, transpose), normal(4, 3), normal(3), normal(4, 2)) for left in (True, False) for transpose in (True, False)),
    *(case(f"ormqr complex, transpose={transpose}", lambda x, y, t, u, c, transpose=transpose: torch.view_as_real(torch.ormqr(torch.complex(x, y), torch.complex(t, u), c + 0j, True, transpose)), normal(4, 3), normal(4, 3), normal(3), normal(3), normal(4, 2)) for transpose in (True, False)),
    *(case(f"lu {m} × {n}", lambda x: torch.linalg.lu(x)[1:], dominant(m, n)) for m, n in ((5, 3), (3, 5))),
    *(case(f"lu_unpack {m} × {n}", lambda x: torch.lu_unpack(*torch.linalg.lu_factor(x)), dominant(2, m, n)) for m, n in ((5, 3), (3, 5))),
    case("lu complex", complexified(lambda z: torch.linalg.lu(z)[1:]), dominant(4, 3), normal(4, 3)),
    case("torch.lu of a singular matrix", lambda x: torch.lu(x)[0], lambda g: normal(3, 2)(g) @ normal(2, 3)(g)),
    case("matrix_rank is a constant", lambda x: x * torch.linalg.matrix_rank(x), R),
    case("linalg.cond", lambda x: torch.linalg.cond(x, "fro"), R),
    case("linalg.vander", lambda x: torch.linalg.vander(x, N=4), normal(3)),
    case("linalg.vander batches", torch.linalg.vander, normal(2, 3)),
    case("vander of zeros", lambda x: torch.vander(x, 3, increasing=True), lambda g: torch.zeros(3).double()),
    case("qr wide", torch.linalg.qr, normal(3, 5)),
    case("qr complex", complexified(torch.linalg.qr), normal(4, 3), normal(4, 3)),
    case("qr complete", lambda x: torch.linalg.qr(x, mode="complete"), normal(4, 3)),
    case("qr complete of batches", lambda x: torch.linalg.qr(x, mode="complete"), dominant(2, 5, 2)),
    case("qr complete complex", complexified(lambda z: torch.linalg.qr(z, mode="complete")), normal(4, 2), normal(4, 2)),
    case("svd with all columns, their projector", lambda x: (lambda n: n @ n.mT)(torch.linalg.svd(x).U[:, 3:]), lambda g: torch.cat([spectrum(5, 3, 1)(g), torch.zeros(2, 3).double()]) + normal(5, 3)(g) / 9),
    *(case(f"{name} of size {' × '.join(map(str, shape))}", f, normal(*shape)) for name, f, shapes in SIZE_0 for shape in shapes),
    case("cholesky complex", complexified(lambda z: torch.linalg.cholesky(hermitian(z))), D, normal(3, 3)),
    case("cholesky reads the upper triangle", lambda x: torch.linalg.cholesky(x, upper=True), D),
    case("eigh vectors", lambda x: torch.linalg.eigh(symmetric(x)).eigenvectors ** 2, lambda g: torch.diag(torch.tensor([1.0, 3.0, 5.0])).double() + normal(3, 3)(g) / 9),
    case("eigh reads one triangle", lambda x: torch.linalg.eigh(x, UPLO="U").eigenvalues, D),
    case("eigvalsh complex", complexified(lambda z: torch.linalg.eigvalsh(hermitian(z))), D, normal(3, 3)),
    case("eigh complex projectors", complexified(lambda z: (lambda v: torch.einsum("ik,jk->kij", v, v.conj()))(torch.linalg.eigh(hermitian(z))[1])), D, normal(3, 3)),
    case("eigvals in pairs", lambda x: torch.view_as_real(torch.linalg.eigvals(x)), lambda g: torch.tensor([[0.0, 2.0, 0.1], [-2.0, 0.0, 0.3], [0.2, 0.1, 1.0]]).double()),
    case("eig projectors", lambda x: (lambda v: torch.einsum("ik,kj->kij", v, torch.linalg.inv(v)).real)(torch.linalg.eig(x)[1]), lambda g: torch.diag(torch.tensor([1.0, 3.0, 5.0])).double() + normal(3, 3)(g) / 5),
    case("eigvalsh of the identity", torch.linalg.eigvalsh, lambda g: torch.eye(3).double(), refused="eigenvalues coincide"),
    case("svd vectors tall", lambda x: (lambda u, s, v: (u * u, u @ v, v * v))(*torch.linalg.svd(x, full_matrices=False)), lambda g: torch.diag(torch.tensor([1.0, 3.0, 5.0])).double()[:, 1:] + normal(3, 2)(g) / 9),
    case("svd vectors wide", lambda x: (lambda u, s, v: (u * u, u @ v, v * v))(*torch.linalg.svd(x, full_matrices=False)), lambda g: torch.diag(torch.tensor([1.0, 3.0, 5.0])).double()[1:] + normal(2, 3)(g) / 9),
    case("svdvals complex", complexified(torch.linalg.svdvals), lambda g: torch.diag(torch.tensor([1.0, 3.0, 5.0])).double() + normal(3, 3)(g) / 9, normal(3, 3)),
    case("torch.svd without vectors", lambda x: torch.svd(x, compute_uv=False).S, lambda g: torch.diag(torch.tensor([1.0, 3.0, 5.0])).double() + normal(3, 3)(g) / 9),
    *(case(f"linalg.cond {p}", lambda x, p=p: torch.linalg.cond(x, p), lambda g: torch.diag(torch.tensor([1.0, 3.0, 5.0])).double() + normal(3, 3)(g) / 9) for p in (None, -2, "nuc")),
    *(case(f"linalg.cond {p}", lambda x, p=p: torch.linalg.cond(x, p), lambda g: torch.diag(torch.tensor([10.0, 25.0, 60.0])).double() + 3 + normal(3, 3)(g) / 9) for p in (1, -1, torch.inf, -torch.inf)),
    *(case(f"matrix_norm {p} batches", lambda x, p=p: torch.linalg.matrix_norm(x, p, dim=(2, 0), keepdim=True), lambda g: (torch.diag(torch.tensor([1.0, 3.0, 5.0])).double()[:2] + normal(4, 2, 3)(g) / 9).permute(2, 0, 1).contiguous()) for p in (2, -2, "nuc", "fro")),
    case("matrix_norm 2 of rank one", lambda x: torch.linalg.matrix_norm(x, 2), lambda g: torch.outer(1 + normal(4)(g).abs(), 1 + normal(3)(g).abs())),
    case("pinv of rank one", torch.linalg.pinv, lambda g: torch.outer(normal(4)(g), normal(3)(g)), refused="the rank changes"),
    case("pinv of constant rank", lambda b, c: torch.linalg.pinv(b @ c), normal(4, 2), normal(2, 5)),
    case("pinv of constant rank complex", complexified(lambda z: torch.linalg.pinv(z[:, :2] @ z[:, 2:].mH)), normal(4, 4), normal(4, 4)),
    case("pinv of unlike ranks", lambda x: torch.linalg.pinv(x[..., :2] @ torch.tensor([[[1.0, 0], [0, 1]], [[1, 0], [0, 0]]]).double() @ x[..., 2:].mT), normal(2, 4, 4)),
    case("pinv that stays 0", lambda x: torch.linalg.pinv(0 * x), normal(3, 2)),
    case("lstsq of constant rank", lambda b, c: torch.linalg.lstsq(b @ b.mT, c).solution, normal(4, 2), normal(4, 2)),
    case("Gaussian log density", lambda x, s: torch.distributions.MultivariateNormal(torch.zeros(3).double(), symmetric(s), validate_args=False).log_prob(x), normal(2, 3), D),
]

CASES: tuple[Case, ...] = listed(INVERSES + DETERMINANTS + MATRIX_FUNCTIONS + FACTORISATIONS)
