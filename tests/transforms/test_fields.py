"""Operators of fields, row by row, against formulas that SymPy differentiated."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import apolar as ap
from apolar.errors import FunctionError, OperatorError, RowCouplingError, ShapeError
from tests.oracles import formulas
from tests.oracles.formulas import Field, Formula
from tests.oracles.scenarios import BATCHES, FIELDS, draw

from .agreement import DTYPES, agree

VECTORS = [name for name, f in FIELDS.items() if len(f.formulas) == len(f.formulas[0].variables)]
TURNING = [name for name in VECTORS if len(FIELDS[name].formulas) in (2, 3)]
each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def points(name: str, batch: tuple[int, ...] = (4,), dtype: torch.dtype = torch.float64) -> Tensor:
    return draw(name, *batch, len(FIELDS[name].formulas[0].variables), dtype=dtype)


# --------------------------------------------------------------------------------------------- Laplacians and directions


def bilaplacian(f: Formula) -> Formula:
    return formulas.laplacian(formulas.laplacian(f))


@each_dtype
@pytest.mark.parametrize("name", FIELDS)
def test_laplacian(name: str, dtype: torch.dtype) -> None:
    X = points(name, dtype=dtype)
    agree(ap.laplacian(FIELDS[name])(X), FIELDS[name].map(formulas.laplacian)(X.double()), dtype)


@each_dtype
@pytest.mark.parametrize("name", FIELDS)
def test_bilaplacian(name: str, dtype: torch.dtype) -> None:
    X = points(name, dtype=dtype)
    agree(ap.bilaplacian(FIELDS[name])(X), FIELDS[name].map(bilaplacian)(X.double()), dtype)


def along(f: Field, X: Tensor, v: Tensor, order: int) -> Tensor:
    """dⁿ/dsⁿ f(x + s·v) = Σ vₐ v_b … ∂ₐ∂_b… f."""
    if not order:
        return f(X)
    parts = [f.map(lambda g, name=name: g.derivative(name)) for name in f.formulas[0].variables]
    return sum(v[..., j, None] * along(part, X, v, order - 1) for j, part in enumerate(parts))


@each_dtype
@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("for_each_point", [False, True], ids=["one direction", "one for each point"])
@pytest.mark.parametrize("name", ["two coordinates", "a flow in space", "one coordinate"])
def test_directional(name: str, for_each_point: bool, order: int, dtype: torch.dtype) -> None:
    X = points(name, dtype=dtype)
    v = draw("direction", *(X.shape if for_each_point else X.shape[-1:]), dtype=dtype)
    expected = along(FIELDS[name], X.double(), v.double().expand(X.shape), order)
    agree(ap.directional(FIELDS[name], v, order)(X), expected, dtype)


def test_directions_are_not_normalised() -> None:
    X, v = points("two coordinates"), torch.tensor([1.0, 2.0], dtype=torch.float64)
    once, thrice = (ap.directional(FIELDS["two coordinates"], k * v, 2)(X) for k in (1, 3))
    agree(thrice, 9 * once)


# ---------------------------------------------------------------------------------------------- divergence, curl, gradient


def exact_gradient(name: str, X: Tensor) -> Tensor:
    """Lᵢⱼ = ∂Fᵢ/∂xⱼ."""
    return torch.stack([row(X.double()) for row in formulas.jacobian(FIELDS[name])], -2)


@each_dtype
@pytest.mark.parametrize("name", VECTORS)
def test_divergence(name: str, dtype: torch.dtype) -> None:
    X = points(name, dtype=dtype)
    expected = exact_gradient(name, X).diagonal(dim1=-2, dim2=-1).sum(-1)
    agree(ap.divergence(FIELDS[name])(X), expected, dtype)


@each_dtype
@pytest.mark.parametrize("name", TURNING)
def test_curl(name: str, dtype: torch.dtype) -> None:
    X = points(name, dtype=dtype)
    f = FIELDS[name].formulas
    x, y, *z = f[0].variables
    parts = [f[1].derivative(x) - f[0].derivative(y)]
    if z:
        parts = [f[2].derivative(y) - f[1].derivative(*z), f[0].derivative(*z) - f[2].derivative(x), *parts]
    expected = Field(tuple(parts))(X.double())
    agree(ap.curl(FIELDS[name])(X), expected if z else expected[..., 0], dtype)


@each_dtype
@pytest.mark.parametrize("name", VECTORS)
def test_velocity_gradient(name: str, dtype: torch.dtype) -> None:
    X = points(name, dtype=dtype)
    L = exact_gradient(name, X)
    found = ap.velocity_gradient(FIELDS[name])(X)
    agree(found, ap.VelocityGradient(L, (L + L.mT) / 2, (L - L.mT) / 2), dtype)
    assert torch.equal(found.D, found.D.mT)
    assert torch.equal(found.W, -found.W.mT)


def test_a_shear_flow_is_half_strain_and_half_spin() -> None:
    found = ap.velocity_gradient(FIELDS["a shear"])(torch.zeros(2, dtype=torch.float64))
    agree(found.D, torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64))
    agree(found.W, torch.tensor([[0.0, 1.0], [-1.0, 0.0]], dtype=torch.float64))


IDENTITIES: dict[str, Callable[[Tensor], Tensor]] = {
    "the curl of a gradient": lambda X: ap.curl(
        lambda p: torch.stack(ap.evaluate(lambda q: torch.sin(q.prod(-1)), p, *ap.coordinates("x y z")), -1)
    )(X),
    "the divergence of a curl": lambda X: ap.divergence(ap.curl(FIELDS["a flow in space"]))(X),
}


@pytest.mark.parametrize("name", IDENTITIES)
def test_nested_fields_vanish_where_they_must(name: str) -> None:
    found = IDENTITIES[name](points("a flow in space"))
    agree(found, torch.zeros_like(found))


# ------------------------------------------------------------------------------------------------------------- batches

TRANSFORMS: dict[str, tuple[Callable[[Callable[[Tensor], Tensor]], Callable[[Tensor], Tensor]], tuple[int, ...]]] = {
    "laplacian": (ap.laplacian, (3,)),
    "bilaplacian": (ap.bilaplacian, (3,)),
    "divergence": (ap.divergence, ()),
    "curl": (ap.curl, (3,)),
    "directional": (lambda f: ap.directional(f, [1.0, 2.0, 3.0], 2), (3,)),
    "strain rate": (lambda f: lambda X: ap.velocity_gradient(f)(X).D, (3, 3)),
}


@pytest.mark.parametrize("batch", BATCHES, ids=str)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_every_batch_gives_what_its_points_give(transform: str, batch: tuple[int, ...]) -> None:
    of, shape = TRANSFORMS[transform]
    f, X = FIELDS["a flow in space"], points("a flow in space", batch)
    found = of(f)(X)
    assert found.shape == (*batch, *shape)
    each = [of(f)(x) for x in X.reshape(-1, 3)]
    agree(found, torch.stack(each).reshape((*batch, *shape)) if each else torch.zeros(*batch, *shape, dtype=X.dtype))


@pytest.mark.parametrize("batch", BATCHES, ids=str)
def test_values_without_an_axis_of_their_own(batch: tuple[int, ...]) -> None:
    X = points("two coordinates", batch)
    agree(ap.laplacian(lambda p: (p**3).sum(-1))(X), 6 * X.sum(-1))
    agree(ap.laplacian(lambda p: p[..., :, None] * p[..., None, :] ** 2)(X)[..., 0, 1], 2 * X[..., 0])


def test_networks_are_fields() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(2, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2)).double()
    X = points("a plane flow")
    J = torch.func.vmap(torch.func.jacrev(net))(X)
    agree(ap.divergence(net)(X), J.diagonal(dim1=-2, dim2=-1).sum(-1))
    agree(ap.curl(net)(X), J[:, 1, 0] - J[:, 0, 1])


# ------------------------------------------------------------------------------------------------------------- refusals

P2, P4 = torch.zeros(5, 2), torch.zeros(5, 4)
REFUSED: dict[str, tuple[Callable[[], object], type[Exception], str]] = {
    "a curl in four dimensions": (lambda: ap.curl(torch.sin)(P4), ShapeError, "2 or 3 coordinates, got 4"),
    "a curl in one dimension": (lambda: ap.curl(torch.sin)(torch.zeros(5, 1)), ShapeError, "2 or 3 coordinates, got 1"),
    "too few components": (lambda: ap.divergence(lambda p: p[:, :1])(P2), ShapeError, r"\(5, 2\).*\(5, 1\)"),
    "no components": (lambda: ap.divergence(lambda p: p.sum(-1))(P2), ShapeError, r"\(5, 2\).*\(5,\)"),
    "a matrix at each point": (lambda: ap.divergence(lambda p: p[..., None] * p[:, None])(P2), ShapeError, r"\(5, 2, 2\)"),
    "a pair of fields": (lambda: ap.divergence(lambda p: (p, p))(P2), ShapeError, "vector field"),
    "points without axes": (lambda: ap.laplacian(torch.sin)(torch.zeros(())), ShapeError, r"\(\.\.\., d\)"),
    "points without coordinates": (lambda: ap.laplacian(torch.sin)(torch.zeros(3, 0)), ShapeError, "coordinate"),
    "a list": (lambda: ap.laplacian(torch.sin)([1.0, 2.0]), ShapeError, "must be a tensor"),
    "rows that mix": (lambda: ap.laplacian(lambda p: p - p.mean(0))(torch.rand(5, 2)), RowCouplingError, "row"),
    "a sum over points": (lambda: ap.laplacian(lambda p: p.sum())(P2), RowCouplingError, "ap.hessian"),
    "a field that fails": (lambda: ap.curl(lambda p: p @ torch.ones(3, 3))(P2), FunctionError, "mat1 and mat2"),
    "order 0": (lambda: ap.directional(torch.sin, P2, 0), OperatorError, "1, 2, 3.*got 0"),
    "a direction that does not fit": (
        lambda: ap.directional(torch.sin, torch.ones(3))(P2),
        ShapeError,
        r"\(5, 2\).*\(3,\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_meaning_is_refused(name: str) -> None:
    call, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        call()
