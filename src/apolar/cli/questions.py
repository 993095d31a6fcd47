"""The questions of ``apolar demo``: each asks apolar, and works out the exact value by itself from a closed form."""

from __future__ import annotations

import functools
import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import sympy
import torch
from torch import Tensor, nn

import apolar as ap


@dataclass(frozen=True)
class Answer:
    """What apolar answers to one call, and the exact value with the formula that it comes from.

    ``error`` is the largest difference of two entries, relative to entries that are larger than 1.
    """

    call: str
    value: Tensor
    exact: Tensor
    formula: str
    tolerance: float = 1e-12
    reference: str = "exact"
    shown: tuple[str, str] | None = None
    note: str = ""

    @property
    def error(self) -> float:
        """The largest difference, or infinity where the shapes differ."""
        if self.value.shape != self.exact.shape:
            return math.inf
        return float(((self.value - self.exact).abs() / self.exact.abs().clamp(min=1)).max().detach())

    @property
    def agrees(self) -> bool:
        """Whether the value is the exact one, up to rounding."""
        return self.error <= self.tolerance


@dataclass(frozen=True)
class Question:
    """A question, the function or setting that it is about, and its answers."""

    title: str
    setting: str
    answers: Callable[[], Iterator[Answer]]


QUESTIONS: list[Question] = []


def _question(title: str, setting: str) -> Callable[[Callable[[], Iterator[Answer]]], Any]:
    def register(answers: Callable[[], Iterator[Answer]]) -> Callable[[], Iterator[Answer]]:
        QUESTIONS.append(Question(title, setting, answers))
        return answers

    return register


def _tensor(values: Any) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float64)


# ------------------------------------------------------------------------------------------------ functions of calculus


@_question("What is the second derivative of a polynomial?", "f = x³ + 2x² + 1 and g = x³ + x², at 2")
def _polynomials() -> Iterator[Answer]:
    def f(x: Tensor) -> Tensor:
        return x**3 + 2 * x**2 + 1

    def g(x: Tensor) -> Tensor:
        return x**3 + x**2

    x = _tensor(2.0)
    yield Answer("ap.derivative(f, order=2)(x)", ap.derivative(f, order=2)(x), _tensor(6 * 2 + 4), "6x + 4")
    yield Answer("ap.derivative(g)(x)", ap.derivative(g)(x), _tensor(3 * 2**2 + 2 * 2), "3x² + 2x")
    yield Answer("ap.derivative(g, order=2)(x)", ap.derivative(g, order=2)(x), _tensor(6 * 2 + 2), "6x + 2")
    hessian = ap.hessian(lambda x: g(x).sum())(x.reshape(1))
    yield Answer("ap.hessian(g)([x])", hessian, _tensor([[6 * 2 + 2]]), "6x + 2, as a matrix")


@_question('What is the "second-order Jacobian" of a vector function?', "sin of every entry, at (0, 1)")
def _second_order_jacobian() -> Iterator[Answer]:
    x = _tensor([0.0, 1.0])
    exact = torch.zeros(2, 2, 2, dtype=torch.float64)
    exact[1, 1, 1] = -math.sin(1)
    tensor = ap.derivative_tensor(torch.sin, order=2)(x)
    yield Answer("ap.derivative_tensor(torch.sin, order=2)(x)", tensor, exact, "−sin xᵢ where i = j = k, else 0")
    zero = _tensor(0.0)
    yield Answer("ap.derivative(torch.sin)(0)", ap.derivative(torch.sin)(zero), _tensor(1), "cos 0")
    yield Answer("ap.derivative(torch.sin, order=2)(0)", ap.derivative(torch.sin, order=2)(zero), _tensor(0), "−sin 0")


@_question(
    "Can a gradient be taken of something that contains a gradient?",
    "L = mean(x²) + mean(∇(x₁²) − ∇(x₂²)), at (5, 7)",
)
def _gradient_of_gradient() -> Iterator[Answer]:
    def loss(x: Tensor) -> Tensor:
        inner = ap.grad(lambda x: x[0] ** 2)(x) - ap.grad(lambda x: x[1] ** 2)(x)
        return (x**2).mean() + inner.mean()

    gradient = ap.grad(loss)(_tensor([5.0, 7.0]))
    yield Answer("ap.grad(L)(x)", gradient, _tensor([5 + 1, 7 - 1]), "L = (x₁² + x₂²)/2 + x₁ − x₂")


@_question("How are functions of functions differentiated?", "f = cos x² at 0.5; g = sin(cos(‖x‖² + 1)), s = ‖x‖²")
def _compositions() -> Iterator[Answer]:
    def f(x: Tensor) -> Tensor:
        return torch.cos(x**2)

    def g(x: Tensor) -> Tensor:
        return torch.sin(torch.cos((x**2).sum() + 1))

    cos, sin = math.cos(0.25), math.sin(0.25)
    series = torch.stack(list(ap.taylor(f, order=2)(_tensor(0.5))))
    exact = _tensor([cos, -2 * 0.5 * sin, -2 * sin - 4 * 0.25 * cos])
    yield Answer("ap.taylor(f, order=2)(0.5)", series, exact, "cos x², −2x sin x², −2 sin x² − 4x² cos x²")
    point = [0.3, -0.5, 0.2]
    s = sum(x * x for x in point)
    exact = _tensor([-2 * x * math.sin(s + 1) * math.cos(math.cos(s + 1)) for x in point])
    yield Answer("ap.grad(g)((0.3, −0.5, 0.2))", ap.grad(g)(_tensor(point)), exact, "−2x sin(s + 1) cos(cos(s + 1))")
    exact = -2 * math.sin(1) * math.cos(math.cos(1)) * torch.eye(3, dtype=torch.float64)
    yield Answer("ap.hessian(g)((0, 0, 0))", ap.hessian(g)(_tensor([0.0] * 3)), exact, "−2 sin 1 cos(cos 1) · I")


@_question(
    "What are the gradients that every course begins with?",
    "a mean, a polynomial, and a Gaussian density p with mean μ = (1, −1) and covariance Σ = [[2, ½], [½, 1]]",
)
def _first_gradients() -> Iterator[Answer]:
    x = _tensor([1.0, -2.0, 3.0, 0.5])
    gradient = ap.grad(lambda x: (2 * (x + 2) ** 2).mean())(x)
    exact = _tensor([4 * (entry + 2) / 4 for entry in (1.0, -2.0, 3.0, 0.5)])
    yield Answer("ap.grad(mean(2(x + 2)²))((1, −2, 3, ½))", gradient, exact, "4 (x + 2)/n")

    gradient = ap.grad(lambda p: p[0] ** 2 + p[0] * p[1] + p[2])(_tensor([-1.0, 2.0, 3.0]))
    yield Answer("ap.grad(x² + xy + z)((−1, 2, 3))", gradient, _tensor([2 * -1 + 2, -1, 1]), "(2x + y, x, 1)")

    mean, covariance = _tensor([1.0, -1.0]), _tensor([[2.0, 0.5], [0.5, 1.0]])

    def density(x: Tensor) -> Tensor:
        distance = (x - mean) @ torch.linalg.solve(covariance, x - mean)
        return torch.exp(-distance / 2) / (2 * math.pi * torch.linalg.det(covariance).sqrt())

    a, b, determinant = 0.5 - 1, 0.25 + 1, 2 * 1 - 0.5 * 0.5
    u, v = (1 * a - 0.5 * b) / determinant, (-0.5 * a + 2 * b) / determinant  # Σ⁻¹(x − μ)
    p = math.exp(-(a * u + b * v) / 2) / (2 * math.pi * math.sqrt(determinant))
    yield Answer(
        "ap.grad(p)((½, ¼))", ap.grad(density)(_tensor([0.5, 0.25])), _tensor([-p * u, -p * v]), "−p Σ⁻¹(x − μ)"
    )


@_question(
    "Are the mixed partial derivatives equal? Not always",
    "f = xy(x² − y²)/(x² + y²) with f(0, 0) = 0, at the origin",
)
def _mixed_partials() -> Iterator[Answer]:
    def f(p: Tensor) -> Tensor:
        x, y = p[..., 0], p[..., 1]
        square = x**2 + y**2
        origin = square == 0
        return torch.where(origin, 0.0, x * y * (x**2 - y**2) / torch.where(origin, 1.0, square))

    found = ap.mixed_partials(f)(_tensor([0.0, 0.0]))
    exact = _tensor([[0, -1], [1, 0]])  # entry (a, b) is ∂_b(∂ₐ f), and fₓ(0, y) = −y, f_y(x, 0) = x
    expected = "f_xy = ∂_y(fₓ) = −1, f_yx = ∂ₓ(f_y) = 1"
    yield Answer("ap.mixed_partials(f)(0).hessian", found.hessian, exact, expected, tolerance=1e-6)
    yield Answer("ap.mixed_partials(f)(0).violation", found.violation, _tensor(2), "|1 − (−1)|", tolerance=1e-6)


@_question("How fast does a fluid deform and turn?", "the shear flow u = (3y, 0)")
def _shear_flow() -> Iterator[Answer]:
    def flow(p: Tensor) -> Tensor:
        return torch.stack([3 * p[..., 1], 0 * p[..., 0]], dim=-1)

    gradient, strain, spin = ap.velocity_gradient(flow)(_tensor([0.4, 0.7]))
    yield Answer("L = velocity gradient", gradient, _tensor([[0, 3], [0, 0]]), "Lᵢⱼ = ∂uᵢ/∂xⱼ")
    yield Answer("D = strain rate", strain, _tensor([[0, 1.5], [1.5, 0]]), "(L + Lᵀ)/2, symmetric")
    yield Answer("W = spin", spin, _tensor([[0, 1.5], [-1.5, 0]]), "(L − Lᵀ)/2, antisymmetric")


@_question(
    "What are the first ten derivatives of arctan?",
    "all of them in one pass, at 1; and the second one at x = (−1, 0, ½, 2)",
)
def _arctan() -> Iterator[Answer]:
    x = _tensor([-1.0, 0.0, 0.5, 2.0])
    second = ap.derivative(torch.atan, order=2)(x)
    exact = _tensor([-2 * a / (1 + a * a) ** 2 for a in (-1.0, 0.0, 0.5, 2.0)])
    yield Answer("ap.derivative(torch.atan, order=2)(x)", second, exact, "−2x/(1 + x²)²")
    derivatives = torch.stack(list(ap.taylor(torch.atan, order=10)(_tensor(1.0))[1:]))
    n = sympy.Symbol("n")
    closed_form = (-1) ** (n - 1) * sympy.factorial(n - 1) * sympy.sin(n * sympy.pi / 4) / 2 ** (n / 2)
    exact = _tensor([float(closed_form.subs(n, order)) for order in range(1, 11)])
    yield Answer("ap.taylor(torch.atan, order=10)(1)[1:]", derivatives, exact, "(−1)ⁿ⁻¹ (n − 1)! sin(nπ/4) / 2ⁿᐟ²")


# ----------------------------------------------------------------------------------------------------- a neural network


@dataclass(frozen=True)
class _Equation:
    """What is asked of a network: from the operators that apolar evaluates, and as it is written with nested autograd."""

    name: str
    operators: tuple[Any, ...]
    combine: Callable[..., Tensor]
    nested: Callable[[nn.Module, Tensor], Tensor]

    def by_apolar(self, net: nn.Module, points: Tensor) -> list[Tensor]:
        """The values, and the gradient of their mean square in the parameters."""
        results = ap.evaluate(net, points, *self.operators)
        return _with_gradient(self.combine(*results) if isinstance(results, tuple) else self.combine(results), net)

    def by_nesting(self, net: nn.Module, points: Tensor) -> list[Tensor]:
        """The same with ``torch.autograd.grad`` alone."""
        return _with_gradient(self.nested(net, points.clone().requires_grad_()), net)


def _with_gradient(values: Tensor, net: nn.Module) -> list[Tensor]:
    """The values and the gradient of their mean square, each as one vector."""
    loss = values.square().mean()
    gradient = torch.autograd.grad(loss, list(net.parameters()), allow_unused=True, materialize_grads=True)
    return [values.detach().flatten(), torch.cat([g.flatten() for g in gradient])]


def _nested(y: Tensor, x: Tensor) -> Tensor:
    """∂y/∂x by reverse mode, row by row, so that it can be differentiated again."""
    return torch.autograd.grad(y.sum(), x, create_graph=True)[0]


def _nested_burgers(net: nn.Module, x: Tensor) -> Tensor:
    u = net(x)
    u_x, u_t = _nested(u, x).split(1, dim=1)
    return u_t + u * u_x - 0.01 / math.pi * _nested(u_x, x)[:, :1]


def _nested_laplacian(u: Tensor, x: Tensor) -> Tensor:
    u_x, u_y = _nested(u, x).split(1, dim=1)
    return _nested(u_x, x)[:, :1] + _nested(u_y, x)[:, 1:]


def _equations() -> list[_Equation]:
    dx, dt = ap.coordinates("x t")
    laplacian = ap.coordinates("x y").laplacian
    return [
        _Equation(
            "Burgers residual uₜ + u uₓ − 0.01/π uₓₓ",
            (1, dx, dt, dx**2),
            lambda u, u_x, u_t, u_xx: u_t + u * u_x - 0.01 / math.pi * u_xx,
            _nested_burgers,
        ),
        _Equation("Laplacian", (laplacian,), lambda u: u, lambda net, x: _nested_laplacian(net(x), x)),
        _Equation(
            "biharmonic",
            (laplacian**2,),
            lambda u: u,
            lambda net, x: _nested_laplacian(_nested_laplacian(net(x), x), x),
        ),
    ]


@_question(
    "And of a neural network?",
    "a tanh network with 4 layers of 64 units, at 2,000 points; with the gradient of the mean square in all parameters",
)
def _network() -> Iterator[Answer]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        widths = [2, 64, 64, 64, 64]
        layers = [m for a, b in itertools.pairwise(widths) for m in (nn.Linear(a, b), nn.Tanh())]
        net = nn.Sequential(*layers, nn.Linear(64, 1)).double()
        points = torch.rand(2000, 2, dtype=torch.float64) * 2 - 1
    for equation in _equations():
        (value, seconds), (reference, nested) = _race(
            functools.partial(equation.by_apolar, net, points), functools.partial(equation.by_nesting, net, points)
        )
        scales = [r.abs().max() for r in reference]
        yield Answer(
            equation.name,
            torch.cat([v / s for v, s in zip(value, scales, strict=True)]),
            torch.cat([r / s for r, s in zip(reference, scales, strict=True)]),
            f"{nested / seconds:.1f} times as fast",
            tolerance=1e-10,
            reference="nested autograd.grad",
            shown=(f"{1000 * seconds:.0f} ms", f"{1000 * nested:.0f} ms"),
            note=f"The plan, {equation.name}:\n{ap.plan(net, points, *equation.operators)}",
        )


def _race(*tasks: Callable[[], list[Tensor]], rounds: int = 4, enough: float = 4.0) -> list[tuple[list[Tensor], float]]:
    """What the tasks return, and the shortest time of each: they take turns, less often where that takes long."""
    times: list[list[float]] = [[] for _ in tasks]
    results: list[list[Tensor]] = []
    while len(times[0]) < rounds and sum(map(sum, times)) < enough:
        for i, task in enumerate(tasks):
            start = time.perf_counter()
            result = task()
            times[i].append(time.perf_counter() - start)
            results[i:] = results[i:] or [result]
    return [(result, min(taken)) for result, taken in zip(results, times, strict=True)]
