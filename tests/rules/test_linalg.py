"""Linear algebra where something coincides, vanishes or is nested: right, or refused with the mathematical reason."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from apolar.errors import UnsupportedOperator
from tests.oracles.jets import jet_derivatives

EYE = torch.eye(3, dtype=torch.float64)
ONES = torch.ones(3, 3, dtype=torch.float64)
RANDOM = torch.randn(3, 6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def second(f: Callable[..., Tensor], x: Tensor, v: Tensor) -> Tensor:
    return jet_derivatives(f, [x], [v], [None], [(2, 0)])[2, 0]


def positive(x: Tensor) -> Tensor:
    return x @ x.mT + torch.diag(torch.arange(1.0, 1 + x.shape[-1])).to(x)


REFUSED = [
    (torch.linalg.eigh, EYE, "coincide"),
    (torch.linalg.eigvalsh, torch.stack([torch.diag(torch.arange(3.0)).double(), EYE]), "coincide"),
    (torch.linalg.eigvals, EYE, "coincide"),
    (torch.linalg.svdvals, EYE, "coincide"),
    (torch.linalg.svdvals, torch.diag(torch.arange(3.0)).double(), "singular value is 0"),
    (lambda x: torch.linalg.matrix_norm(x, 2), EYE, "coincide"),
    (lambda x: torch.linalg.matrix_norm(x, -2), torch.diag(torch.arange(3.0)).double(), "singular value is 0"),
    (torch.linalg.svd, ONES[:2], "linearly dependent"),
    (torch.linalg.qr, ONES, "linearly dependent"),
    (torch.linalg.slogdet, ONES, "singular"),
    (torch.logdet, ONES, "singular"),
    (torch.linalg.pinv, ONES, "do not stay 0"),
    (torch.linalg.pinv, 0 * ONES, "do not stay 0"),
    (torch.linalg.pinv, torch.stack([EYE, ONES]), "do not stay 0"),
    (lambda x: torch.linalg.pinv(x, rtol=0.5), torch.diag(torch.arange(3.0)).double(), "do not stay 0"),
    (lambda x: torch.linalg.lstsq(x, x).solution, ONES, "do not stay 0"),
    (torch.linalg.lu, ONES, "pivot is 0"),
    (torch.linalg.lu, ONES[:2].mT, "pivot is 0"),
    (lambda x: torch.cholesky_inverse(torch.complex(x, x)), EYE, "diagonal of a Cholesky factor"),
    (lambda x: torch.linalg.matrix_norm(x, 3), EYE, "no matrix norm"),
]


@pytest.mark.parametrize("f, x, reason", REFUSED)
def test_refused(f: Callable[..., Tensor], x: Tensor, reason: str) -> None:
    with pytest.raises(UnsupportedOperator, match=reason):
        jet_derivatives(f, [x], [torch.rand_like(x)], [None], [(1, 0)])


@pytest.mark.parametrize("f", [torch.linalg.inv, lambda x: torch.linalg.solve(x, x)])
def test_singular_matrices_fail_as_in_torch(f: Callable[..., Tensor]) -> None:
    with pytest.raises(torch.linalg.LinAlgError, match="singular"):
        jet_derivatives(f, [ONES], [EYE], [None], [(1, 0)])


def test_indefinite_matrices_are_reported_as_in_torch() -> None:
    def f(x: Tensor) -> Tensor:
        L, info = torch.linalg.cholesky_ex(x)
        return L if not info else torch.linalg.cholesky(x + 5 * torch.eye(3))

    found = jet_derivatives(f, [-EYE], [EYE], [None], [(1, 0)])[1, 0]
    assert torch.allclose(found, EYE.flatten() / 4)


@pytest.mark.parametrize("shape", [(7, 3), (3, 7), (2, 4, 3)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_columns_that_complete_a_basis_stay_orthonormal(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    def f(x: Tensor) -> tuple[Tensor, ...]:
        U, S, Vh = torch.linalg.svd(x)
        k = S.shape[-1]
        return U.mH @ U, Vh @ Vh.mH, (U[..., :k] * S.unsqueeze(-2)) @ Vh[..., :k, :] - x

    x, v = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0), dtype=dtype)
    found = jet_derivatives(f, [x], [v], [None], [(1, 0), (2, 0), (3, 0)])
    assert all(derivative.abs().max() < 1e-10 for derivative in found.values())


def test_results_without_vectors_have_the_shapes_of_torch() -> None:
    x = RANDOM[0, :, :3]
    shapes = []

    def f(x: Tensor) -> Tensor:
        shapes.append([part.shape for part in (*torch.svd(x, compute_uv=False), *torch.linalg.qr(x, mode="r"))])
        return x

    jet_derivatives(f, [x], [x], [None], [(1, 0)])
    f(x)
    assert shapes[0] == shapes[1]


NESTED = {
    "inv": torch.linalg.inv,
    "solve": lambda x: torch.linalg.solve(x, x.mT @ x),
    "det": torch.linalg.det,
    "slogdet": lambda x: torch.linalg.slogdet(x)[1],
    "cholesky": lambda x: torch.linalg.cholesky(positive(x)),
    "lu": lambda x: torch.linalg.lu_factor(x)[0],
    "qr": lambda x: torch.linalg.qr(x)[0],
    "eigh": lambda x: torch.linalg.eigh(positive(x))[1],
    "svd": lambda x: torch.linalg.svd(x)[0],
    "svd with all columns": lambda x: torch.linalg.svd(x[:, :3])[0],
    "qr with all columns": lambda x: torch.linalg.qr(x[:, :3], mode="complete")[0],
    "lu tall": lambda x: torch.linalg.lu_factor(x[:, :3])[0],
    "lu wide": lambda x: torch.linalg.lu_factor(x[:3])[0],
    "householder_product": lambda x: torch.linalg.householder_product(x[:, :4], x[0, :3]),
    "ormqr": lambda x: torch.ormqr(x[:, :4], x[0, :3], x @ x),
    "matrix_exp": torch.matrix_exp,
    "pinv": lambda x: torch.linalg.pinv(x[:, :-1]),
    "pinv of rank 2": lambda x: torch.linalg.pinv(x[:, :2] @ x[:, 2:4].mT),
    "lstsq": lambda x: torch.linalg.lstsq(x[:, :-1], x)[0],
    "matrix_norm": lambda x: torch.linalg.matrix_norm(x, 2),
    "matrix_norm -2": lambda x: torch.linalg.matrix_norm(x[:, :4], -2),
    "solve_triangular": lambda x: torch.linalg.solve_triangular(x, x, upper=False),
    "layer_norm": lambda x: F.layer_norm(x, (6,)),
    "normalize": lambda x: F.normalize(x, dim=-1),
    "cdist": lambda x: torch.cdist(x, x**2 + 1),
    "cross_entropy": lambda x: F.cross_entropy(x, torch.arange(6)),
}


@pytest.mark.parametrize("name", NESTED)
def test_jets_of_jets_and_transforms_agree(name: str) -> None:
    f = NESTED[name]
    x, v, w = RANDOM
    exact = jet_derivatives(f, [x], [v], [w], [(2, 1)])[2, 1]

    def close(found: Tensor) -> bool:
        return torch.allclose(found, exact, rtol=1e-9, atol=1e-9 * float(exact.abs().max()))

    assert close(jet_derivatives(lambda y: second(f, y, v), [x], [w], [None], [(1, 0)])[1, 0])
    assert close(torch.func.jvp(lambda y: second(f, y, v), (x,), (w,))[1])
    moved = torch.stack([x, x + v / 9])
    one_by_one = torch.stack([second(f, y, v) for y in moved])
    assert torch.allclose(torch.func.vmap(lambda y: second(f, y, v))(moved), one_by_one, rtol=1e-9, atol=1e-9)
    jacobians = torch.func.vmap(torch.func.jacrev(lambda y: second(f, y, v)))(moved)
    assert close(torch.einsum("oij,ij->o", jacobians[0], w))
