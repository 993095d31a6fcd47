"""Residuals: the right numbers and parameter gradients, by as few components as possible, and errors that teach."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import apolar as ap
from apolar.errors import ApolarError, CoordinateError, DetachedError, FunctionError, OperatorError, ShapeError

NU = 0.01 / torch.pi


def network(inputs: int, outputs: int = 1) -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Linear(inputs, 12), nn.Tanh(), nn.Linear(12, 12), nn.Tanh(), nn.Linear(12, outputs)
    ).double()


def points(d: int, rows: int = 7) -> Tensor:
    return torch.rand(rows, d, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


class Nested:
    """One column of a network, and its derivatives by nested reverse mode: D("xxt")."""

    def __init__(self, u: Tensor, X: Tensor, names: str) -> None:
        self.u, self.X, self.names = u, X, names

    def __call__(self, name: str = "", of: Tensor | None = None) -> Tensor:
        y = self.u if of is None else of
        for letter in name:
            (g,) = torch.autograd.grad(y.sum(), self.X, create_graph=True)
            j = self.names.index(letter)
            y = g[:, j : j + 1]
        return y


def nested(net: nn.Module, names: str, X: Tensor) -> tuple[list[Nested], Tensor]:
    X = X.clone().requires_grad_()
    y = net(X)
    return [Nested(y[:, j : j + 1], X, names) for j in range(y.shape[1])], X


# each: coordinates, outputs, the equation, the same by nested reverse mode, the operators needed, m
def burgers(u):
    return u.t + u * u.x - NU * u.xx


def heat(u):
    return u.t - 0.1 * (u.xx + u.yy)


def korteweg_de_vries(u):
    return u.t + 6 * u * u.x + u.xxx


def allen_cahn(u):
    return u.t - 0.0001 * u.xx + 5 * u**3 - 5 * u


def sine_gordon(u):
    return u.tt - u.xx + torch.sin(u)


def poisson_with_source(u):
    x, y = u.coords
    return u.laplacian + 2 * math.pi**2 * torch.sin(math.pi * x) * torch.sin(math.pi * y)


def plate(u):
    return u.bilaplacian - u.coords.x * u


def conservation_law(u):
    return u.t + (u**2 / 2).x - (u * u.x).d("x") / 3


def cahn_hilliard(u):
    return u.t - (u**3 - u - 0.02 * (u.xx + u.yy)).d("x", 2) - (u**3 - u - 0.02 * (u.xx + u.yy)).d("y", 2)


def porous(u):
    return (torch.exp(u) / (1 + u**2)).laplacian


def curved(u):
    grad = torch.cat(u.gradient, -1)
    return (u.x / torch.sqrt(1 + (grad**2).sum(-1, keepdim=True))).x


def variable_coefficient(u):
    return ((1 + u.coords.x**2) * u.x).x + (torch.sin(u.coords.y) * u.y).y


def twice_differentiated(u):
    return (u * (u * u.x).x).y


def navier_stokes(u, v, p):
    return (
        u * u.x + v * u.y + p.x - 0.1 * u.laplacian,
        u * v.x + v * v.y + p.y - 0.1 * v.laplacian,
        u.x + v.y,
    )


CASES: dict[str, tuple[str, str | None, Callable[..., Any], Callable[..., Any], int | None]] = {
    "Burgers": ("x t", None, burgers, lambda X, D: D("t") + D() * D("x") - NU * D("xx"), 3),
    "heat": ("x y t", None, heat, lambda X, D: D("t") - 0.1 * (D("xx") + D("yy")), 4),
    "Korteweg-de Vries": ("x t", None, korteweg_de_vries, lambda X, D: D("t") + 6 * D() * D("x") + D("xxx"), 4),
    "Allen-Cahn": ("x t", None, allen_cahn, lambda X, D: D("t") - 0.0001 * D("xx") + 5 * D() ** 3 - 5 * D(), 3),
    "sine-Gordon": ("x t", None, sine_gordon, lambda X, D: D("tt") - D("xx") + torch.sin(D()), 4),
    "Poisson": (
        "x y",
        None,
        poisson_with_source,
        lambda X, D: D("xx") + D("yy") + 2 * math.pi**2 * torch.sin(math.pi * X).prod(1, keepdim=True),
        4,
    ),
    "plate": (
        "x y",
        None,
        plate,
        lambda X, D: D("xxxx") + 2 * D("xxyy") + D("yyyy") - X[:, :1] * D(),
        9,
    ),
    "conservation law": (
        "x t",
        None,
        conservation_law,
        lambda X, D: D("t") + D() * D("x") - D("x", of=D() * D("x")) / 3,
        4,
    ),
    "Cahn-Hilliard": (
        "x y t",
        None,
        cahn_hilliard,
        lambda X, D: D("t") - sum(D(2 * s, of=D() ** 3 - D() - 0.02 * (D("xx") + D("yy"))) for s in "xy"),
        None,
    ),
    "porous": (
        "x y",
        None,
        porous,
        lambda X, D: sum(D(s, of=torch.exp(D()) / (1 + D() ** 2)) for s in ("xx", "yy")),
        4,
    ),
    "curved": (
        "x y",
        None,
        curved,
        lambda X, D: D("x", of=D("x") / torch.sqrt(1 + D("x") ** 2 + D("y") ** 2)),
        5,
    ),
    "variable coefficient": (
        "x y",
        None,
        variable_coefficient,
        lambda X, D: D("x", of=(1 + X[:, :1] ** 2) * D("x")) + D("y", of=torch.sin(X[:, 1:]) * D("y")),
        5,
    ),
    "derivative of a product with a derivative of a product": (
        "x y",
        None,
        twice_differentiated,
        lambda X, D: D("y", of=D() * D("x", of=D() * D("x"))),
        6,
    ),
    "Navier-Stokes": (
        "x y",
        "u v p",
        navier_stokes,
        lambda X, u, v, p: (
            u() * u("x") + v() * u("y") + p("x") - 0.1 * (u("xx") + u("yy")),
            u() * v("x") + v() * v("y") + p("y") - 0.1 * (v("xx") + v("yy")),
            u("x") + v("y"),
        ),
        4,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_values_and_parameter_gradients_agree_with_nested_reverse_mode(name: str) -> None:
    coordinates, outputs, equation, by_hand, size = CASES[name]
    letters = coordinates.replace(" ", "")
    net = network(len(letters), len(outputs.split()) if outputs else 1)
    residual = ap.residual(coordinates, outputs)(equation)
    if size is not None:
        assert residual.algebra.size == size, residual

    unknowns, X = nested(net, letters, points(len(letters)))
    expected = by_hand(X, *unknowns)
    found = residual(net, points(len(letters)))
    for r, e in zip(found, expected) if isinstance(expected, tuple) else [(found, expected)]:
        assert r.shape == e.shape
        torch.testing.assert_close(r, e, rtol=1e-10, atol=1e-10)
        ours, theirs = (
            torch.autograd.grad(y.square().sum(), list(net.parameters()), retain_graph=True, materialize_grads=True,
                                allow_unused=True)
            for y in (r, e)
        )  # fmt: skip
        for a, b in zip(ours, theirs):
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def test_a_linear_equation_is_one_operator() -> None:
    dx, dy, dt = ap.coordinates("x y t")
    residual = ap.residual("x y t")(heat)
    assert residual.operators == (dt - 0.1 * (dx**2 + dy**2),)


def test_operators_of_burgers() -> None:
    dx, dt = ap.coordinates("x t")
    assert set(ap.residual("x t")(burgers).operators) == {dt - NU * dx**2, dx, dx.coordinates.one}


@pytest.mark.parametrize(
    "a, b",
    [
        (lambda u: u.x.t, lambda u: u.xt),
        (lambda u: u.t.x, lambda u: u.d("xt")),
        (lambda u: u.d("x", 2), lambda u: u.xx),
        (lambda u: u.d("x").d("t"), lambda u: u.tx),
        (lambda u: u.laplacian.laplacian, lambda u: u.bilaplacian),
        (lambda u: u.xx + u.tt, lambda u: u.laplacian),
        (lambda u: sum(g.d(s) for g, s in zip(u.gradient, "xt")), lambda u: u.laplacian),
        (lambda u: u.d(ap.coordinates("x t")["x"] ** 2 + 1), lambda u: u.xx + u),
        (lambda u: (2 * u.x - u.x / 2 + 3).t, lambda u: 1.5 * u.xt),
        (lambda u: torch.sub(torch.mul(2.0, u.x), u.t), lambda u: 2 * u.x - u.t),
        (lambda u: -(1 - u.x) - (-u), lambda u: u + u.x - 1),
        (lambda u: 0 * u.xxx + u.x, lambda u: u.x + 0.0),
    ],
)
def test_spellings(a: Callable[..., Any], b: Callable[..., Any]) -> None:
    first, second = ap.residual("x t")(a), ap.residual("x t")(b)
    assert set(first.operators) == set(second.operators)
    net = network(2)
    torch.testing.assert_close(first(net, points(2)), second(net, points(2)), rtol=0, atol=1e-13)


def test_coordinates_of_several_letters() -> None:
    residual = ap.residual("r theta")(lambda u: u.rr + u.r / u.coords.r + u.thetatheta / u.coords["r"] ** 2)
    X = torch.rand(5, 2, dtype=torch.float64) + 1

    def harmonic(p: Tensor) -> Tensor:
        return p[:, :1] ** 3 * torch.cos(3 * p[:, 1:])

    torch.testing.assert_close(residual(harmonic, X), torch.zeros(5, 1, dtype=torch.float64), rtol=0, atol=1e-12)


@pytest.mark.parametrize("coefficient", ["number", "tensor", "parameter in the closure", "one for each point"])
def test_coefficients_from_outside(coefficient: str) -> None:
    net, X = network(2), points(2)
    nu: Any = {"number": 0.3, "one for each point": torch.rand(7, 1, dtype=torch.float64)}.get(
        coefficient, nn.Parameter(torch.tensor(0.3, dtype=torch.float64))
    )
    if coefficient == "parameter in the closure":
        found = ap.residual("x t")(lambda u: u.t - nu * u.xx)(net, X)
    else:
        found = ap.residual("x t")(lambda u, k: u.t - k * u.xx)(net, X, nu)
    (D,), _ = nested(net, "xt", X)
    torch.testing.assert_close(found, D("t") - nu * D("xx"), rtol=1e-11, atol=1e-11)
    if isinstance(nu, nn.Parameter):
        (ours,) = torch.autograd.grad(found.square().sum(), nu)
        (theirs,) = torch.autograd.grad((D("t") - nu * D("xx")).square().sum(), nu)
        torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-11)


def test_a_number_from_outside_may_change() -> None:
    settings = {"k": 1.0}
    residual = ap.residual("x")(lambda u: settings["k"] * u.x)
    X = torch.ones(2, 1)
    first = residual(lambda p: p**2, X)
    settings["k"] = 3.0
    assert torch.equal(residual(lambda p: p**2, X), 3 * first)


def test_derivative_of_an_expression_with_a_parameter() -> None:
    net, X = network(2), points(2)
    k = nn.Parameter(torch.tensor(0.7, dtype=torch.float64))
    found = ap.residual("x t")(lambda u: (torch.tanh(k * u) + k).x)(net, X)
    (D,), _ = nested(net, "xt", X)
    expected = k * D("x") / torch.cosh(k * D()) ** 2
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-11)
    ours, theirs = (torch.autograd.grad(y.sum(), k, retain_graph=True)[0] for y in (found, expected))
    torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-11)


def test_what_is_returned_keeps_its_nest() -> None:
    net, X = network(2), points(2)
    r = ap.residual("x t")(lambda u: {"a": u.x, "b": [u.t, (u.x * u, 1.0)]})(net, X)
    assert set(r) == {"a", "b"}
    assert r["b"][1][1] == 1.0
    torch.testing.assert_close(r["b"][1][0], r["a"] * net(X))


def test_choices_are_made_point_by_point() -> None:
    net, X = network(2), points(2)
    r = ap.residual("x t")(lambda u: torch.where(u.x > 0, u.x, 0 * u) + abs(u.t) + u.t.clamp(min=0))(net, X)
    (D,), _ = nested(net, "xt", X)
    torch.testing.assert_close(r, D("x").relu() + D("t").abs() + D("t").relu())


def test_a_condition_without_derivatives() -> None:
    X = points(2)
    r = ap.residual("x t")(lambda u: 2 * u - torch.sin(u.coords.x))(lambda p: p[:, :1], X)
    torch.testing.assert_close(r, 2 * X[:, :1] - torch.sin(X[:, :1]))


def test_shapes_of_points_and_outputs() -> None:
    residual = ap.residual("x t")(lambda u: u.t + u.coords.x * u.x)
    X = torch.rand(3, 4, 2, dtype=torch.float64)
    columns = residual(lambda p: p.prod(-1, keepdim=True), X)
    assert columns.shape == (3, 4, 1)
    flat = residual(lambda p: p.prod(-1), X)
    assert flat.shape == (3, 4)
    assert torch.equal(flat, columns[..., 0])
    assert torch.equal(residual(lambda p: p.prod(-1), X[0, 0]), flat[0, 0])
    one_by_one = residual(lambda x, t: x * t, (X[..., 0], X[..., 1]))
    torch.testing.assert_close(one_by_one, flat)
    split = residual(lambda x, t: x * t, X.split(1, -1))
    torch.testing.assert_close(split, columns)


def test_derivatives_of_the_coordinates() -> None:
    r = ap.residual("x t")(lambda u: (u.coords.x**2 * u.coords.t).xt + 0 * u + u.coords.x.x + u.coords.x.t)
    X = points(2)
    torch.testing.assert_close(r(lambda p: p[:, :1] ** 2, X), 2 * X[:, :1] + 1)


def test_an_equation_that_vanishes() -> None:
    found = ap.residual("x t")(lambda u, k: k * u.x - k * (u * u.t))(network(2), points(2), 0.0)
    assert torch.equal(found, torch.zeros(7, 1, dtype=torch.float64))


def test_a_weight_without_gradient() -> None:
    net, X = network(1), points(1)
    r = ap.residual("x")(lambda u: u.x * u.x.abs().detach())(net, X)
    first = ap.residual("x")(lambda u: u.x)(net, X)
    ours, theirs = (torch.autograd.grad(y.sum(), net[0].weight)[0] for y in (r, first * first.detach().abs()))
    torch.testing.assert_close(ours, theirs)


def test_inside_of_another_derivative() -> None:
    """d/dx of a residual, by an evaluation around it."""
    residual = ap.residual("x t")(lambda u: u.t + (u * u.x).x)
    dx, _ = ap.coordinates("x t")
    X = points(2)

    def f(p: Tensor) -> Tensor:
        return torch.sin(p[..., :1] * p[..., 1:])

    outer = ap.evaluate(lambda p: residual(f, p), X, dx)
    inner = ap.residual("x t")(lambda u: u.tx + (u * u.x).xx)(f, X)
    torch.testing.assert_close(outer, inner, rtol=1e-11, atol=1e-11)


def test_repr_shows_equation_operators_and_components() -> None:
    @ap.residual("x t")
    def wave(u, c=2):
        """The wave equation."""
        return u.tt - c**2 * u.xx + torch.sin(u)

    assert wave.__doc__ == "The wave equation."
    assert repr(wave).splitlines()[:2] == [
        "wave(u, c) = (-4 ∂x² + ∂t²) u + sin(u) in (x, t)",
        "operators: -4 ∂x² + ∂t², 1",
    ]
    assert "tensor · ∂x u" in repr(ap.residual("x t")(lambda u, k: u.t - k * u.x))
    assert repr(ap.residual("x y", outputs="u v")(lambda u, v: u.x * 2 - v.y - 1)).startswith(
        "<lambda>(u, v) = 2 ∂x u - ∂y v - 1"
    )


def scalar(u):
    return u.x


def one_variable(equation: Callable[..., Any]) -> Callable[[], Any]:
    """The equation at points of one coordinate."""
    return lambda: ap.residual("x")(equation)(network(1), points(1))


def two_variables(equation: Callable[..., Any]) -> Callable[[], Any]:
    """The equation at points of two coordinates."""
    return lambda: ap.residual("x y")(equation)(network(2), points(2))


def mixed(u):
    return ap.residual("t")(lambda v: u.x * v.t)(network(1), points(1))


ERRORS: dict[str, tuple[Callable[[], Any], type[ApolarError], str]] = {
    "no coordinates named": (lambda: ap.residual(scalar), OperatorError, "name the coordinates"),
    "a reserved name": (lambda: ap.residual("d"), CoordinateError, "choose other names"),
    "too few arguments": (lambda: ap.residual("x y", outputs="u v")(scalar), OperatorError, "unknowns are (u, v)"),
    "an unknown coordinate": (two_variables(lambda u: u.t), CoordinateError, "the coordinates are (x, y)"),
    "the same in d": (two_variables(lambda u: u.d("z")), CoordinateError, '"z" is no derivative'),
    "the same in coords": (two_variables(lambda u: u.x * u.coords.z), CoordinateError, "no coordinate 'z'"),
    "two readings": (
        lambda: ap.residual("x xx")(lambda u: u.xx)(network(2), points(2)),
        CoordinateError,
        "read in 2 ways",
    ),
    "a shape": (two_variables(lambda u: u.x + u.shape[0]), CoordinateError, "shape"),
    "an if": (one_variable(lambda u: u if u.x > 0 else -u), OperatorError, "torch.where"),
    "max": (one_variable(lambda u: max(u.x, 0)), OperatorError, "torch.maximum"),
    "math.sin": (one_variable(lambda u: math.sin(u) + u.x), OperatorError, "torch.sin"),
    "autograd": (one_variable(lambda u: torch.autograd.grad(u, u.coords.x)), OperatorError, "u.x"),
    "in place": (one_variable(lambda u: torch.relu_(u.x)), OperatorError, "in place"),
    "nothing unknown": (one_variable(lambda u: 3.0), OperatorError, "no unknown"),
    "a string": (one_variable(lambda u: [u.x, "t"]), OperatorError, "got 't'"),
    "a missing argument": (one_variable(lambda u, k: k * u.x), OperatorError, "missing a required argument: 'k'"),
    "an infinite coefficient": (one_variable(lambda u: float("inf") * u.x), OperatorError, "finite"),
    "a negative order": (one_variable(lambda u: u.d("x", -1)), OperatorError, "-1"),
    "wrong outputs": (
        lambda: ap.residual("x y", outputs="u v")(lambda u, v: u.x + v.y)(network(2, 3), points(2)),
        ShapeError,
        "must return (..., 2); got (7, 3)",
    ),
    "wrong points": (lambda: ap.residual("x y")(scalar)(network(3), points(3)), ShapeError, "last axis of 2"),
    "a mean under a derivative": (one_variable(lambda u: (u * u.mean()).x), OperatorError, "mixes points"),
    "a coefficient for each point under a derivative": (
        one_variable(lambda u: (u * torch.rand(7, 1)).x),
        OperatorError,
        "a row for each point",
    ),
    "detach under a derivative": (one_variable(lambda u: (u * u.detach()).x), DetachedError, "detach"),
    "a failing call": (one_variable(lambda u: u.x @ torch.ones(5, 5)), FunctionError, "∂x u @ tensor(5, 5)"),
    "two residuals mixed": (one_variable(mixed), OperatorError, "another residual"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_teach(name: str) -> None:
    attempt, kind, words = ERRORS[name]
    with pytest.raises(kind) as caught:
        attempt()
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "use", [lambda u, a: a * u.x, lambda u, a: u.x * a, lambda u, a: a + u, lambda u, a: u / a], ids=range(4)
)
def test_arrays_of_numpy_are_to_be_tensors(use: Any) -> None:
    with pytest.raises(OperatorError, match=r"array of NumPy of shape \(7, 1\): torch\.as_tensor"):
        ap.residual("x y")(lambda u: use(u, np.ones((7, 1))))(lambda p: p[:, :1], torch.rand(7, 2))
