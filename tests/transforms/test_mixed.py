"""Mixed partial derivatives: symmetric where the function is regular, and both limits where it is not."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import apolar as ap
from apolar.errors import FunctionError, ShapeError
from tests.oracles.formulas import Formula

from .agreement import DTYPES, agree

ORIGIN = torch.zeros(2, dtype=torch.float64)


def peano(p: Tensor) -> Tensor:
    """xy(x² − y²)/(x² + y²), which is 0/0 at the origin."""
    x, y = p.unbind(-1)
    return x * y * (x**2 - y**2) / (x**2 + y**2)


def peano_completed(p: Tensor) -> Tensor:
    """The same with the value 0 at the origin."""
    x, y = p.unbind(-1)
    r = x**2 + y**2
    return torch.where(r > 0, x * y * (x**2 - y**2) / torch.where(r > 0, r, 1.0), 0.0)


FORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "0/0": peano,
    "completed by torch.where": peano_completed,
    "with an axis of its own": lambda p: peano(p).unsqueeze(-1),
    "beside something regular": lambda p: peano(p) + torch.sin(p[..., 0]) * p[..., 1],
}


@pytest.mark.parametrize("name", FORMS)
def test_peano(name: str) -> None:
    """f_xy = ∂y(∂x f) = −1 but f_yx = ∂x(∂y f) = 1 at the origin."""
    found = ap.mixed_partials(FORMS[name])(ORIGIN)
    regular = 1.0 if name == "beside something regular" else 0.0
    assert float(found.hessian[1, 0]) == pytest.approx(regular + 1, abs=1e-9)
    assert float(found.hessian[0, 1]) == pytest.approx(regular - 1, abs=1e-9)
    assert float(found.violation) == pytest.approx(2, abs=1e-9)
    assert not found.symmetric
    assert found.symmetric.shape == found.violation.shape == ()


@pytest.mark.parametrize("name", ["0/0", "completed by torch.where"])
def test_peano_in_single_precision(name: str) -> None:
    found = ap.mixed_partials(FORMS[name])(ORIGIN.float())
    assert found.hessian.dtype == torch.float32
    assert float(found.hessian[1, 0]) == pytest.approx(1, abs=1e-3)
    assert float(found.hessian[0, 1]) == pytest.approx(-1, abs=1e-3)
    assert not found.symmetric


@pytest.mark.parametrize("name", ["0/0", "completed by torch.where"])
def test_unmixed_derivatives_at_the_origin_are_zero(name: str) -> None:
    found = ap.mixed_partials(FORMS[name])(ORIGIN)
    assert float(found.hessian.diagonal().abs().max()) < 1e-9


def test_in_a_batch_only_the_origin_is_reported() -> None:
    X = torch.tensor([[[1.0, 2.0], [0.0, 0.0]], [[-0.5, 0.3], [0.0, 1.0]]], dtype=torch.float64)
    found = ap.mixed_partials(peano)(X)
    assert found.hessian.shape == (2, 2, 2, 2)
    assert found.symmetric.tolist() == [[True, False], [True, True]]
    assert found.violation.shape == (2, 2)
    assert float(found.violation[0, 1]) == pytest.approx(2, abs=1e-9)
    f = Formula("x*y*(x**2 - y**2)/(x**2 + y**2)", ("x", "y"))
    for point, H in ((X[0, 0], found.hessian[0, 0]), (X[1, 0], found.hessian[1, 0])):
        agree(H, torch.stack([torch.stack([f.derivative(a, b)(*point) for b in "xy"]) for a in "xy"]))


def test_the_text_says_what_is_wrong_and_where() -> None:
    text = repr(ap.mixed_partials(peano)(torch.stack([ORIGIN, ORIGIN + 1])))
    assert "not symmetric at 1 of 2 points" in text
    assert "∂1(∂2 f) = 1" in text
    assert "∂2(∂1 f) = -1" in text
    assert "symmetric at all 1 points" in repr(ap.mixed_partials(lambda p: p.prod(-1))(ORIGIN))


REGULAR: dict[str, tuple[str, str, list[list[float]]]] = {
    "a polynomial": ("x**2*y + y**3", "x y", [[1.0, 2.0], [0.0, 0.0], [-3.0, 0.5]]),
    "waves": ("sin(3*x)*cos(2*y)", "x y", [[0.4, 1.0], [0.0, 0.0]]),
    "large numbers": ("x**2*y**2 + x*y", "x y", [[100.0, -300.0]]),
    "small numbers": ("x**2*y + x*y", "x y", [[1e-4, -1e-5]]),
    "three coordinates": ("x*y*z + exp(x - z)*tanh(y)", "x y z", [[0.1, 0.2, 0.3], [1.0, -1.0, 0.5]]),
    "one coordinate": ("x**3", "x", [[2.0]]),
    "linear": ("2*x - y", "x y", [[0.3, 0.1]]),
    "near a singularity": ("log(x**2 + y**2)", "x y", [[0.3, 0.4]]),
}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", REGULAR)
def test_regular_functions_are_symmetric_and_their_hessian_exact(name: str, dtype: torch.dtype) -> None:
    expression, names, points = REGULAR[name]
    variables = tuple(names.split())
    f = Formula(expression, variables)
    X = torch.tensor(points, dtype=dtype)
    found = ap.mixed_partials(lambda p: f(*p.unbind(-1)))(X)
    columns = X.double().unbind(-1)
    expected = torch.stack([torch.stack([f.derivative(a, b)(*columns) for b in variables], -1) for a in variables], -2)
    agree(found.hessian, expected, dtype)
    assert found.symmetric.all()
    assert torch.equal(found.violation, torch.zeros_like(found.violation))


@pytest.mark.parametrize("batch", [(), (1,), (2, 3), (0,)], ids=str)
def test_every_batch(batch: tuple[int, ...]) -> None:
    X = torch.rand(*batch, 2, dtype=torch.float64)
    found = ap.mixed_partials(lambda p: p[..., 0] ** 2 * p[..., 1])(X)
    assert found.hessian.shape == (*batch, 2, 2)
    assert found.violation.shape == found.symmetric.shape == batch
    agree(found.hessian[..., 0, 1], 2 * X[..., 0])


NEAR: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[float], tuple[float, float]], Callable[[float], float]]] = {
    "Peano's origin": (peano, lambda r: (r, r), lambda r: 0.0),
    "a ramp, right": (lambda p: torch.relu(p[..., 0]) * p[..., 1] ** 2, lambda r: (r, 0.6), lambda r: 1.2),
    "a ramp, left": (lambda p: torch.relu(p[..., 0]) * p[..., 1] ** 2, lambda r: (-r, 0.6), lambda r: 0.0),
    "an absolute value": (lambda p: (p[..., 0] - p[..., 1]).abs() * p[..., 0], lambda r: (1 + r, 1.0), lambda r: -1.0),
    "a step": (lambda p: torch.floor(3 * p[..., 0]) * p[..., 1], lambda r: (1 - r, 2.0), lambda r: 0.0),
    "the tip of a cone": (lambda p: (p**2).sum(-1).sqrt(), lambda r: (r, r), lambda r: -1 / (r * 8**0.5)),
}
"""A function, a point at distance r from where it is not regular, and its f_xy there."""


@pytest.mark.parametrize("r", [1e-1, 1e-2, 1e-3, 1e-4, 1e-5])
@pytest.mark.parametrize("name", NEAR)
def test_points_beside_a_singularity_are_regular(name: str, r: float) -> None:
    f, point, exact = NEAR[name]
    found = ap.mixed_partials(f)(torch.tensor(point(r), dtype=torch.float64))
    assert found.symmetric
    assert float(found.hessian[0, 1]) == pytest.approx(exact(r), rel=1e-9, abs=1e-9)
    assert float(found.hessian[1, 0]) == pytest.approx(exact(r), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("x", [0.3, 221.9, -3000.0])
def test_fast_waves_are_regular(x: float) -> None:
    found = ap.mixed_partials(lambda p: torch.sin(100 * p[..., 0]) * p[..., 1])(torch.tensor([x, 25.9]).double())
    assert found.symmetric
    assert float(found.hessian[0, 1]) == pytest.approx(100 * math.cos(100 * torch.tensor(x).double().item()), rel=1e-6)


SINGULAR: dict[str, tuple[Callable[[Tensor], Tensor], float, float]] = {
    "x³y/(x² + y²)": (lambda p: p[..., 0] ** 3 * p[..., 1] / (p**2).sum(-1), 0.0, 1.0),
    "a thousandth of Peano's": (lambda p: peano(p) / 1000, -1e-3, 1e-3),
    "a thousand times Peano's": (lambda p: peano(p) * 1000, -1e3, 1e3),
    "Peano's beside large numbers": (lambda p: peano(p) + 1000 * p[..., 0] * p[..., 1], 999.0, 1001.0),
    "Peano's in another unit": (lambda p: peano(p * 1e4) / 1e8, -1.0, 1.0),
}
"""A function, and its ∂y(∂x f) and ∂x(∂y f) at the origin."""


@pytest.mark.parametrize("name", SINGULAR)
def test_other_functions_that_are_not_symmetric(name: str) -> None:
    f, xy, yx = SINGULAR[name]
    found = ap.mixed_partials(f)(ORIGIN)
    assert not found.symmetric
    assert float(found.hessian[0, 1]) == pytest.approx(xy, rel=1e-9, abs=1e-9)
    assert float(found.hessian[1, 0]) == pytest.approx(yx, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("at", [1.0, 10.0, 1000.0])
def test_peano_elsewhere(at: float) -> None:
    found = ap.mixed_partials(lambda p: peano(p - at))(ORIGIN + at)
    assert found.hessian.flatten().tolist() == pytest.approx([0, -1, 1, 0], abs=1e-7)


NOWHERE: dict[str, Callable[[Tensor], Tensor]] = {
    "x² atan(y/x) − y² atan(x/y)": lambda p: (
        p[..., 0] ** 2 * torch.atan(p[..., 1] / p[..., 0]) - p[..., 1] ** 2 * torch.atan(p[..., 0] / p[..., 1])
    ),
    "1/x": lambda p: p[..., 1] / p[..., 0],
    "log": lambda p: torch.log(p[..., 0]) * p[..., 1],
}


@pytest.mark.parametrize("name", NOWHERE)
def test_what_has_no_value_is_not_called_symmetric(name: str) -> None:
    """Where neither the rules nor the limits give numbers: an error, or a report that is not good news."""
    try:
        found = ap.mixed_partials(NOWHERE[name])(ORIGIN)
    except ap.ApolarError:
        return
    assert torch.isfinite(found.hessian).all() or not found.symmetric


JUMPS: dict[str, tuple[Callable[[Tensor], Tensor], tuple[float, float]]] = {
    "a step at 0": (lambda p: torch.floor(3 * p[..., 0]) * p[..., 1], (0.0, 0.5)),
    "a step at 1": (lambda p: torch.floor(3 * p[..., 0]) * p[..., 1], (1.0, 0.5)),
    "a step just beside": (lambda p: torch.floor(3 * p[..., 0]) * p[..., 1], (1e-9, 0.5)),
    "a sign": (lambda p: torch.sign(p[..., 0] - p[..., 1]) * p[..., 1], (0.5, 0.5)),
    "a condition": (lambda p: torch.where(p[..., 0] > 0, p[..., 1], -p[..., 1]), (0.0, 0.5)),
    "many steps": (lambda p: torch.floor(3 * p[..., 0]) * p[..., 1], (-34.7671, -66.6398)),
}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", JUMPS)
def test_no_limit_is_invented_at_a_jump(name: str, dtype: torch.dtype) -> None:
    """Quotients across a jump grow like 1/h: no two derivatives to compare."""
    f, point = JUMPS[name]
    try:
        found = ap.mixed_partials(f)(torch.tensor(point, dtype=dtype))
    except ap.ApolarError:
        return
    assert torch.equal(found.hessian, torch.zeros(2, 2, dtype=dtype))


SINGLE: dict[str, tuple[Callable[[Tensor], Tensor], tuple[float, float]]] = {
    "a fast wave": (lambda p: torch.sin(100 * p[..., 0]) * p[..., 1], (240.6957, 88.9462)),
    "a ramp": (lambda p: torch.relu(p[..., 0]) * p[..., 1] ** 2, (0.035, -0.5)),
    "an absolute value": (lambda p: (p[..., 0] - p[..., 1]).abs() * p[..., 0], (0.04, 0.0)),
    "Peano's, beside the origin": (peano, (0.02, 0.01)),
    "a narrow peak": (lambda p: torch.sin(1 / ((p**2).sum(-1) + 1e-3)), (0.0023, -0.0003)),
}


@pytest.mark.parametrize("name", SINGLE)
def test_regular_points_in_single_precision(name: str) -> None:
    """The Hessian by rules is kept, although differences say little."""
    f, point = SINGLE[name]
    found = ap.mixed_partials(f)(torch.tensor(point))
    assert found.symmetric
    assert torch.equal(found.hessian, ap.hessian(f)(torch.tensor(point)))


def test_kinks_are_not_called_asymmetric() -> None:
    """|x| y at x = 0: there is no second derivative that could violate the symmetry."""
    with pytest.raises(ap.SingularPoint, match="abs has no derivative"):
        ap.mixed_partials(lambda p: p[..., 0].abs() * p[..., 1])(torch.tensor([0.0, 1.0], dtype=torch.float64))


def test_networks_are_symmetric() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(2, 5), torch.nn.Tanh(), torch.nn.Linear(5, 1)).double()
    X = torch.rand(4, 2, dtype=torch.float64)
    found = ap.mixed_partials(net)(X)
    assert found.symmetric.all()
    agree(found.hessian.detach(), torch.func.vmap(torch.func.hessian(lambda x: net(x)[0]))(X).detach())


REFUSED: dict[str, tuple[Callable[[], object], type[Exception], str]] = {
    "two numbers for a point": (lambda: ap.mixed_partials(torch.sin)(ORIGIN), ShapeError, r"one number.*\(2,\)"),
    "a point without axes": (lambda: ap.mixed_partials(torch.sin)(torch.zeros(())), ShapeError, r"last axis.*\(\)"),
    "a function of nothing": (lambda: ap.mixed_partials(lambda p: None)(ORIGIN), FunctionError, "NoneType"),
    "a function that fails": (lambda: ap.mixed_partials(lambda p: p @ torch.ones(3))(ORIGIN), FunctionError, "fails"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_meaning_is_refused(name: str) -> None:
    call, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        call()
