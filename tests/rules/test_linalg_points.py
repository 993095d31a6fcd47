# One point is one line, however long.
# fmt: off
# ruff: noqa: E501
"""Linear algebra at hard points: singular, defective, nearly degenerate, badly scaled, of any shape; orders 1 to 3."""

from __future__ import annotations

from dataclasses import dataclass, field

import mpmath
import pytest
import torch
from torch import Tensor

from tests.oracles import precise
from tests.oracles.jets import jet_derivatives
from tests.oracles.lines import Function
from tests.oracles.precise import Formula, columns, scalar

linalg = torch.linalg


@dataclass(frozen=True)
class Point:
    """A function, its formula in mpmath, and the matrix at which they are compared.

    Attributes:
        radius: of the circle that the reference takes, well below the distance to a singularity.
        scale: what is large enough to be no rounding error.
        entrywise: whether rows and columns of different size are right each to its own size.
    """

    name: str
    functions: tuple[Function, Formula] = field(repr=False)
    x: Tensor = field(repr=False)
    radius: float = 0.05
    scale: float = 1.0
    entrywise: bool = False

    def __str__(self) -> str:
        return self.name


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def diagonal(*values: float) -> Tensor:
    return torch.diag(torch.tensor(values, dtype=torch.float64))


def orthogonal(n: int, seed: int = 0) -> Tensor:
    return linalg.qr(normal(n, n, seed=seed)).Q


def spectrum(*values: float) -> Tensor:
    """A matrix with these singular values."""
    return orthogonal(len(values)) @ diagonal(*values) @ orthogonal(len(values), seed=1)


def symmetric(*values: float) -> Tensor:
    """A symmetric matrix with these eigenvalues."""
    return even(orthogonal(len(values)) @ diagonal(*values) @ orthogonal(len(values)).mT)


def even(x: Tensor) -> Tensor:
    """The symmetric part."""
    return (x + x.mT) / 2


def graded(n: int, ratio: float) -> Tensor:
    """Rows and columns of very different size."""
    scale = ratio ** torch.arange(n, dtype=torch.float64)
    return scale[:, None] * (normal(n, n) + 3 * torch.eye(n)) * scale


def projectors(vectors: Tensor) -> Tensor:
    """v vᵀ for every column."""
    return torch.einsum("ik,jk->kij", vectors, vectors)


# ------------------------------------------------------------------------------------------- functions and their formulas

DET = (linalg.det, lambda M: scalar(mpmath.det(M)))
LOG = (lambda x: linalg.slogdet(x)[1], lambda M: scalar(mpmath.log(mpmath.det(M) ** 2) / 2))
INV = (linalg.inv, lambda M: [M**-1])
SOLVE = (lambda x: linalg.solve(x[:, 1:], x[:, :1]), lambda M: [columns(M, 1, M.cols) ** -1 * columns(M, 0, 1)])
LSTSQ = (lambda x: linalg.lstsq(x[:, 2:], x[:, :2])[0], lambda M: [precise.pseudo_inverse(columns(M, 2, M.cols)) * columns(M, 0, 2)])
PINV = (linalg.pinv, lambda M: [precise.pseudo_inverse(M)])
CHOLESKY = (lambda x: linalg.cholesky(even(x)), lambda M: [precise.cholesky((M + M.T) / 2)])
QR = (lambda x: (lambda q, r: (q * r.diagonal().sign(), r.diagonal().sign()[:, None] * r))(*linalg.qr(x)), lambda M: [*precise.qr(M)])
EXP = (linalg.matrix_exp, lambda M: [mpmath.expm(M, method="taylor")])


def of_rank(r: int, of: Function = linalg.pinv) -> tuple[Function, Formula]:
    """(B Cᵀ)⁺, where B and C are the first and the other columns."""
    return lambda x: of(x[:, :r] @ x[:, r:].mT), lambda M: [precise.pseudo_inverse_of_product(columns(M, 0, r), columns(M, r, M.cols))]


def lu(x: Tensor) -> tuple[Function, Formula]:
    """With the permutation that torch chooses at x."""
    Pt = mpmath.matrix(linalg.lu(x).P.mT.tolist())
    return lambda x: linalg.lu(x)[1:], lambda M: [*precise.lu(Pt * M)]


def eigh(x: Tensor) -> list[tuple[Function, Formula]]:
    """Eigenvalues, and the projectors on the eigenvectors."""
    near = linalg.eigvalsh(x).tolist()
    return [
        (lambda x: linalg.eigvalsh(even(x)), lambda M: [mpmath.matrix(precise.eigenvalues((M + M.T) / 2, near))]),
        (lambda x: projectors(linalg.eigh(even(x)).eigenvectors), lambda M: precise.projectors((M + M.T) / 2, precise.eigenvalues((M + M.T) / 2, near))),
    ]


def eig(x: Tensor) -> tuple[Function, Formula]:
    """Eigenvalues of a matrix with real ones."""
    near = sorted(linalg.eigvals(x).real.tolist())
    return lambda x: linalg.eigvals(x).real.sort().values, lambda M: [mpmath.matrix(precise.eigenvalues(M, near))]


def svd(x: Tensor) -> list[tuple[Function, Formula]]:
    """Singular values, and u vᵀ for each."""
    near = (linalg.svdvals(x) ** 2).tolist()

    def values(M: mpmath.matrix) -> list[object]:
        return precise.eigenvalues(M.T * M if M.rows >= M.cols else M * M.T, near)

    def products(M: mpmath.matrix) -> list[mpmath.matrix]:
        s = values(M)
        if M.rows >= M.cols:
            return [M * P / mpmath.sqrt(e) for e, P in zip(s, precise.projectors(M.T * M, s))]
        return [P * M / mpmath.sqrt(e) for e, P in zip(s, precise.projectors(M * M.T, s))]

    return [
        (linalg.svdvals, lambda M: [mpmath.matrix([mpmath.sqrt(e) for e in values(M)])]),
        (lambda x: (lambda u, s, v: torch.einsum("ik,kj->kij", u, v))(*linalg.svd(x, full_matrices=False)), products),
    ]


def power(n: int) -> tuple[Function, Formula]:
    return lambda x: linalg.matrix_power(x, n), lambda M: [M**n]


def norm(p: float) -> tuple[Function, Formula]:
    """Of all entries, which keep their signs."""
    def formula(M: mpmath.matrix) -> list[mpmath.matrix]:
        sizes = [entry * mpmath.sign(mpmath.re(entry)) for entry in M]
        return scalar(sum(entry**p for entry in sizes) ** (1 / mpmath.mpf(p)))

    return lambda x: linalg.vector_norm(x, p), formula


def matrix_norm(p: float | str, x: Tensor) -> tuple[Function, Formula]:
    near = (linalg.svdvals(x) ** 2).tolist()
    wanted = {2: near[:1], -2: near[-1:], "nuc": near}[p]
    return lambda x: linalg.matrix_norm(x, p), lambda M: scalar(sum(mpmath.sqrt(e) for e in precise.eigenvalues(M.T * M, wanted)))


# --------------------------------------------------------------------------------------------------------------- the points

EYE = torch.eye(6).double()
HILBERT = 1 / (1 + torch.arange(5.0)[:, None] + torch.arange(5.0)).double()
DEFECTIVE = orthogonal(4) @ (diagonal(2, 2, 2, 2) + torch.diag(torch.ones(3).double(), 1)) @ orthogonal(4).mT
CLOSE = {gap: symmetric(1.0, 1.0 + gap, 2.0, 3.5) for gap in (1e-1, 1e-3, 1e-5, 1e-7)}
NEAR = {gap: spectrum(3.5, 2.0, 1.0 + gap, 1.0) for gap in (1e-1, 1e-3, 1e-5)}
TRIANGLE = diagonal(1, 1.001, 3) + normal(3, 3).triu(1)

POINTS = [
    *(Point(f"det of rank {r} of 7", DET, spectrum(*[1.5] * r, *[0.0] * (7 - r)), 1.0) for r in range(3, 7)),
    *(Point(f"det of the zero matrix of size {n}", DET, torch.zeros(n, n).double(), 1.0) for n in (2, 3, 5)),
    Point("det at the identity", DET, EYE, 1.0),
    Point("det of a rotation", DET, orthogonal(7), 1.0),
    Point("det of singular values in pairs", DET, spectrum(3, 3, 2, 2, 1, 1, 0), 1.0),
    Point("det of Hilbert's matrix", DET, HILBERT, 0.1, scale=0.0),
    Point("det graded", DET, graded(5, 1e-1), 1e-8, scale=0.0, entrywise=True),
    Point("slogdet at the identity", LOG, EYE),
    Point("slogdet of a reflection", LOG, orthogonal(5) @ diagonal(1, 1, 1, 1, -1) @ orthogonal(5).mT),
    Point("slogdet nearly singular", LOG, spectrum(1, 1, 1, 1e-6), 1e-8),
    Point("inv at the identity", INV, EYE),
    Point("inv nearly singular", INV, spectrum(1, 1, 1, 1e-6), 1e-8),
    Point("solve of Hilbert's matrix", SOLVE, torch.cat([normal(5, 1), HILBERT], 1), 1e-7),
    Point("lstsq overdetermined", LSTSQ, normal(6, 5)),
    Point("lstsq underdetermined", LSTSQ, normal(3, 7)),
    Point("lstsq of nearly dependent columns", LSTSQ, torch.cat([normal(5, 2), normal(5, 3) @ spectrum(1, 1, 1e-4)], 1), 1e-6),
    Point("pinv tall", PINV, normal(5, 3)),
    Point("pinv wide", PINV, normal(3, 5)),
    Point("pinv of an orthogonal matrix", PINV, orthogonal(4)),
    *(Point(f"pinv of rank {r} of {n}", of_rank(r), normal(n, 2 * r)) for r, n in ((1, 3), (2, 5), (3, 4))),
    Point("pinv of rank 2 nearly 1", of_rank(2), normal(5, 4) @ torch.block_diag(spectrum(1, 1e-3), torch.eye(2)), 1e-5),
    Point("pinv Hermitian of rank 2", (lambda x: linalg.pinv(x @ x.mT, hermitian=True), lambda M: [precise.pseudo_inverse_of_product(M, M)]), normal(5, 2)),
    Point("pinv of rank 2 by a tolerance", of_rank(2, lambda x: linalg.pinv(x, rtol=1e-3)), normal(5, 4)),
    Point("lstsq of rank 2", of_rank(2, lambda x: linalg.lstsq(x, torch.eye(5).double()).solution), normal(5, 4)),
    Point("cholesky", CHOLESKY, symmetric(1, 1, 2, 2)),
    Point("cholesky nearly singular", CHOLESKY, symmetric(1, 1, 1, 1e-6), 1e-8),
    *(Point(f"qr {m} × {n}", QR, normal(m, n)) for m, n in ((5, 3), (4, 4), (3, 5), (4, 1))),
    Point("qr of nearly dependent columns", QR, normal(5, 3) @ spectrum(1, 1, 1e-5), 1e-7),
    *(Point(f"lu {m} × {n}", lu(normal(m, n)), normal(m, n)) for m, n in ((5, 3), (4, 4), (3, 5), (4, 1), (1, 4))),
    Point("lu of a singular matrix", lu(x := torch.tensor([[4.0, 1, 2], [2, 3, 1], [2, 3, 1]]).double()), x),
    *(Point(f"{what}, gap {gap}", f, x, gap / 12) for gap, x in CLOSE.items() for what, f in zip(("eigvalsh", "eigh"), eigh(x))),
    *(Point(f"{what}, gap {gap}", f, x, gap / 12) for gap, x in NEAR.items() for what, f in zip(("svdvals", "svd"), svd(x))),
    *(Point(f"{what} {name}", f, x, 1e-2) for name, x in {"tall": normal(5, 3), "wide": normal(3, 5)}.items() for what, f in zip(("svdvals", "svd"), svd(x))),
    Point("eigvals of a triangle", eig(TRIANGLE), TRIANGLE, 1e-7),
    *(Point(f"matrix_power {n}", power(n), normal(4, 4) + 3 * torch.eye(4), 1e-3) for n in (-3, -1, 0, 1, 2, 5)),
    Point("matrix_power of a nilpotent matrix", power(5), normal(4, 4).triu(1), 1.0),
    Point("matrix_exp nilpotent", EXP, normal(4, 4).triu(1)),
    Point("matrix_exp defective", EXP, DEFECTIVE),
    Point("matrix_exp of zero", EXP, torch.zeros(3, 3).double()),
    Point("matrix_exp of a large matrix", EXP, 12 * normal(4, 4), 0.05),
    Point("matrix_exp of a large negative matrix", EXP, -symmetric(1, 10, 20, 40), 0.05),
    Point("matrix_exp of a fast rotation", EXP, 30 * (normal(4, 4) - normal(4, 4).mT), 0.05),
    *(Point(f"vector_norm {p}", norm(p), normal(2, 3) + 2 * normal(2, 3).sign()) for p in (-1, 0.5, 1, 1.5, 2, 3, 4)),
    Point("vector_norm of a short vector", norm(2), 1e-6 * normal(2, 3), 1e-7, scale=0.0),
    *(Point(f"matrix_norm {p}", matrix_norm(p, normal(4, 3)), normal(4, 3), 1e-2) for p in (2, -2, "nuc")),
    Point("matrix_norm 2 of coinciding others", matrix_norm(2, x := spectrum(3, 1, 1, 0)), x, 1e-2),
    Point("matrix_norm -2 of coinciding others", matrix_norm(-2, x := spectrum(3, 3, 3, 1)), x, 1e-2),
]


MARGIN = 100
"""Rounding errors that an algorithm may make, in units of one in every entry of the matrix; the largest seen is a tenth of it."""


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_agrees_with_mpmath(point: Point) -> None:
    function, formula = point.functions
    v = normal(*point.x.shape, seed=7)
    exact = precise.derivatives(formula, point.x, v, point.radius, 3)
    rounding = precise.rounding(formula, point.x, v, point.radius, 3, point.entrywise)
    found = jet_derivatives(function, [point.x], [v], [None], [(k, 0) for k in range(4)])
    for k in range(4):
        error, size = (float(x.abs().max()) for x in (found[k, 0] - exact[k], exact[k]))
        scale = max(size, point.scale)
        allowed = MARGIN * (rounding[k] + precise.EPSILON * scale)
        assert allowed <= 1e-4 * scale, f"order {k}: rounding errors alone are {allowed:.1e} of {scale:.1e}"
        assert error <= allowed, f"order {k}: off by {error:.1e} of {size:.1e}, allowed {allowed:.1e}"
