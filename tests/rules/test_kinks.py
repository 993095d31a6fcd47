"""Derivatives at kinks: right, with values from closed forms, or refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn, tensor

import apolar as ap

Function = Callable[[Tensor], Tensor]

# One case is one line, however long.
# fmt: off


@dataclass(frozen=True)
class Line:
    """A function of one number at a point.

    Attributes:
        taylor: its derivatives from order 0 on, from the formula; None for SingularPoint.
    """

    name: str
    function: Function = field(repr=False)
    at: float
    taylor: tuple[float, ...] | None

    def __str__(self) -> str:
        return f"{self.name} at {self.at:g}"



def nothing(x: Tensor) -> Tensor:
    """A target of 0."""
    return torch.zeros(x.shape, dtype=x.dtype)


LINES = [
    Line("|x|²", lambda x: x.abs() ** 2, 0, (0, 0, 2, 0)),
    Line("|x|² by square", lambda x: x.abs().square(), 0, (0, 0, 2, 0)),
    Line("|x|·|x|", lambda x: x.abs() * x.abs(), 0, (0, 0, 2, 0)),
    Line("the same |x| twice", lambda x: (lambda y: y * y)(x.abs()), 0, (0, 0, 2, 0)),
    Line("|x|⁴", lambda x: x.abs() ** 4, 0, (0, 0, 0, 0, 24)),
    Line("(3|x|/2)²", lambda x: (3 * x.abs() / 2) ** 2, 0, (0, 0, 4.5)),
    Line("(−|x|)²", lambda x: (x.abs() * -1) ** 2, 0, (0, 0, 2)),
    Line("√(x²)²", lambda x: torch.sqrt(x * x) ** 2, 0, (0, 0, 2, 0)),
    Line("√(x²)² by methods", lambda x: (x**2).sqrt().pow(2), 0, (0, 0, 2)),
    Line("((x²)^½)²", lambda x: ((x**2) ** 0.5) ** 2, 0, (0, 0, 2)),
    Line("√x²", lambda x: torch.sqrt(x) ** 2, 0, (0, 1, 0)),
    Line("hypot²", lambda x: torch.hypot(x, 2 * x) ** 2, 0, (0, 0, 10)),
    Line("cos |x|²", lambda x: torch.cos(x.abs() ** 2), 0, (1, 0, 0, 0, -12)),
    Line("smooth_l1_loss", lambda x: F.smooth_l1_loss(x, nothing(x), reduction="none"), 0, (0, 0, 1, 0)),
    Line("smooth_l1_loss with β", lambda x: F.smooth_l1_loss(x, nothing(x), reduction="none", beta=0.5), 0, (0, 0, 2)),
    Line("huber_loss", lambda x: F.huber_loss(x, nothing(x), reduction="none", delta=0.5), 0, (0, 0, 1)),
    Line("huber_loss outside", lambda x: F.huber_loss(x, nothing(x), reduction="none", delta=0.5), -2, (0.875, -0.5, 0)),
    Line("a kink that is not chosen", lambda x: torch.where(x < 1, x * x, x.abs()), 0, (0, 0, 2)),
    Line("a kink that stays", lambda x: x * x + torch.relu(x - x), 0, (0, 0, 2)),
    Line("relu of x³", lambda x: torch.relu(x**3), 0, (0, 0, 0)),
    Line("|x|", lambda x: x.abs(), 0, None),
    Line("x|x|", lambda x: x * x.abs(), 0, None),
    Line("e^−|x|", lambda x: torch.exp(-x.abs()), 0, None),
    Line("(|x| + 1)²", lambda x: (x.abs() + 1) ** 2, 0, None),
    Line("relu", lambda x: torch.relu(x), 0, None),
    Line("relu²", lambda x: torch.relu(x) ** 2, 0, None),
    Line("x relu x", lambda x: x * torch.relu(x), 0, None),
    Line("(relu x + relu −x)²", lambda x: (torch.relu(x) + torch.relu(-x)) ** 2, 0, None),
    Line("max(x, −x)²", lambda x: torch.maximum(x, -x) ** 2, 0, None),
    Line("amax²", lambda x: torch.stack([x, -x]).amax(0) ** 2, 0, None),
    Line("(x sign x)²", lambda x: (x * torch.sign(x)) ** 2, 0, None),
    Line("leaky_relu", lambda x: F.leaky_relu(x) ** 2, 0, None),
    Line("clamp", lambda x: x.clamp(-1, 1) ** 2, 1, None),
    Line("softsign", lambda x: F.softsign(x), 0, None),
    Line("smooth_l1_loss at β", lambda x: F.smooth_l1_loss(x, nothing(x), reduction="none"), 1, None),
    Line("l1_loss", lambda x: F.l1_loss(x, nothing(x), reduction="none") ** 3, 0, None),
]
# fmt: on


@pytest.mark.parametrize("line", LINES, ids=str)
def test_derivatives_of_all_orders(line: Line) -> None:
    at = tensor([line.at, 7.0], dtype=torch.float64)  # not every entry is at the kink
    if line.taylor is None:
        ap.taylor(line.function, 1)(at)
        for order in (2, 3):
            with pytest.raises(ap.SingularPoint, match="has no"):
                ap.taylor(line.function, order)(at)
            with pytest.raises(ap.SingularPoint):
                ap.derivative(line.function, order)(at[0])
    else:
        found = ap.taylor(line.function, len(line.taylor) - 1)(at)
        assert torch.allclose(torch.stack(found)[:, 0], tensor(line.taylor, dtype=torch.float64))


def rows(x: Tensor) -> Tensor:
    return x.reshape(-1, 2)


def moved(x: Tensor) -> Tensor:
    """Another argument that is equal to x, and does not move alike."""
    return 0.5 * x


SINE = -2 * math.sin(1) * math.cos(math.cos(1))  # of sin(cos(r² + 1)) by r², twice

HESSIANS: dict[str, tuple[Function, float | None]] = {
    "sin(cos(‖x‖² + 1))": (lambda x: torch.sin(torch.cos(x.norm() ** 2 + 1)), SINE),
    "‖x‖²": (lambda x: x.norm() ** 2, 2),
    "‖x‖·‖x‖": (lambda x: x.norm() * x.norm(), 2),
    "‖x‖⁴": (lambda x: x.norm() ** 4, 0),
    "exp(−(‖x‖/3)²)": (lambda x: torch.exp(-((x.norm() / 3) ** 2)), -2 / 9),
    "linalg.norm": (lambda x: torch.linalg.norm(x).square(), 2),
    "vector_norm": (lambda x: torch.linalg.vector_norm(x, dim=-1, keepdim=True).square().sum(), 2),
    "matrix_norm": (lambda x: torch.linalg.matrix_norm(rows(x)) ** 2, 2),
    "pairwise_distance": (lambda x: F.pairwise_distance(rows(x), 0 * rows(x), eps=0).pow(2).sum(), 2),
    "cdist": (lambda x: (torch.cdist(x[None], moved(x[None])) ** 2).sum(), 0.5),
    "cdist by products": (
        lambda x: (torch.cdist(x[None], moved(x[None]), compute_mode="use_mm_for_euclid_dist") ** 2).sum(),
        0.5,
    ),
    "dist": (lambda x: torch.dist(x, moved(x)) ** 2, 0.5),
    "√Σx²": (lambda x: (x * x).sum().sqrt() ** 2, 2),
    "‖x‖": (lambda x: x.norm(), None),
    "x₀‖x‖": (lambda x: x[0] * x.norm(), None),
    "e^−‖x‖": (lambda x: torch.exp(-x.norm()), None),
    "‖x‖₁": (lambda x: torch.linalg.vector_norm(x, 1) ** 2, None),
    "cdist alone": (lambda x: torch.cdist(x[None], moved(x[None])).sum(), None),
    "relu²": (lambda x: (torch.relu(x) ** 2).sum(), None),
    "max²": (lambda x: x.max() ** 2, None),
    "Σ sorted²": (lambda x: x.sort().values[..., -1] ** 2, None),
    "topk": (lambda x: x.topk(1).values.sum() ** 2, None),
}
WAYS: dict[str, Callable[[Function], Function]] = {
    "hessian": ap.hessian,
    "in chunks": lambda f: ap.hessian(f, chunk_size=1),
    "jacobian of grad": lambda f: ap.jacobian(ap.grad(f)),
    "products": lambda f: lambda x: torch.stack([ap.hvp(f, x, v) for v in torch.eye(len(x), dtype=x.dtype)]),
    "tensor": lambda f: ap.derivative_tensor(f, 2),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", HESSIANS)
def test_hessians_at_0(name: str, way: str) -> None:
    check_hessian(*HESSIANS[name], WAYS[way], 4)


@pytest.mark.parametrize("name", HESSIANS)
def test_hessians_in_many_variables(name: str) -> None:
    """Which are made by reverse mode."""
    check_hessian(*HESSIANS[name], ap.hessian, 26)


def check_hessian(f: Function, scale: float | None, way: Callable[[Function], Function], n: int) -> None:
    x = torch.zeros(n, dtype=torch.float64)
    if scale is None:
        with pytest.raises(ap.SingularPoint, match="has no derivative"):
            way(f)(x)
    else:
        assert torch.allclose(way(f)(x), scale * torch.eye(n, dtype=torch.float64))


# ------------------------------------------------------------------------------------------------------- in every kind of pass

dx, dy = ap.coordinates("x y")
X = tensor([[0.0, 0.0], [3.0, 4.0]], dtype=torch.float64)


def smooth(p: Tensor) -> Tensor:
    """Its Laplacian is 4."""
    return p.norm(dim=-1, keepdim=True) ** 2


def singular(p: Tensor) -> Tensor:
    return p.norm(dim=-1, keepdim=True)


@ap.residual("x y")
def poisson(u: Any) -> Any:
    return u.xx + u.yy


PASSES: dict[str, Callable[[Function, Tensor], Tensor]] = {
    "evaluate": lambda f, x: ap.evaluate(f, x, dx**2 + dy**2),
    "chunks": lambda f, x: ap.evaluate(f, x, dx**2 + dy**2, chunk_size=1),
    "little memory": lambda f, x: ap.evaluate(f, x, dx**2 + dy**2, max_memory=4000),
    "laplacian": lambda f, x: ap.laplacian(f)(x),
    "vmap": lambda f, x: torch.vmap(lambda p: ap.evaluate(f, p, dx**2 + dy**2))(x),
    "nested": lambda f, x: ap.evaluate(lambda p: ap.evaluate(f, p, dx), x, dx) * 2,
    "residual": lambda f, x: poisson(f, x),
    "float32": lambda f, x: ap.evaluate(f, x.float(), dx**2 + dy**2).double(),
}


@pytest.mark.parametrize("kernels", ["eager", "auto"])
@pytest.mark.parametrize("name", PASSES)
def test_in_every_pass(name: str, kernels: str) -> None:
    run = PASSES[name]
    with ap.settings(kernels=kernels):
        assert torch.allclose(run(smooth, X), torch.full((2, 1), 4.0, dtype=torch.float64))
        run(singular, X[1:])
        with pytest.raises(ap.SingularPoint, match=r"norm has no derivative at 1 of"):
            run(singular, X)


def test_a_replay_is_right_or_raises() -> None:
    """No value is looked at while a pass is captured; where a replay meets a kink, the pass is made anew."""
    laplacian = ap.compile(dx**2 + dy**2)
    for f in (singular, torch.relu):
        beside = laplacian(f, X + 1)
        assert torch.allclose(beside, ap.evaluate(f, X + 1, dx**2 + dy**2))
        with pytest.raises(ap.SingularPoint):
            laplacian(f, X)
        assert torch.equal(laplacian(f, X + 1), beside)
    laplacian(smooth, X + 1)
    assert torch.allclose(laplacian(smooth, X), torch.full((2, 1), 4.0, dtype=torch.float64))


def test_a_gradient_by_parameters_passes_a_kink_that_is_not_chosen() -> None:
    weight = torch.ones((), dtype=torch.float64, requires_grad=True)

    def f(p: Tensor) -> Tensor:
        x = weight * p[:, :1]
        return torch.where(x < 1, x * x, x.abs())

    ap.evaluate(f, X, dx**2).sum().backward()
    assert weight.grad == 4


def test_networks_of_piecewise_linear_functions() -> None:
    """Where no preactivation is 0 the second derivatives are 0; where one is, and moves, there are none."""
    net = nn.Sequential(nn.Linear(2, 3, dtype=torch.float64), nn.ReLU(), nn.Linear(3, 1, dtype=torch.float64))
    assert torch.equal(ap.evaluate(net, X, dx**2), torch.zeros(2, 1, dtype=torch.float64))
    nn.init.zeros_(net[0].bias)
    with pytest.raises(ap.SingularPoint, match="relu has no derivative at 3 of 6 entries"):
        ap.evaluate(net, X, dx**2)
    slopes = torch.autograd.functional.jacobian(net, X).sum(2)[:, 0, 0]
    assert torch.allclose(ap.evaluate(net, X, dx)[:, 0], slopes)


def test_the_message_names_function_place_and_way_out() -> None:
    with pytest.raises(
        ap.SingularPoint, match=r"^abs has no derivative at 1 of 2 entries, the first .*test_kinks\.py:\d+"
    ):
        ap.derivative(lambda x: x * x.abs(), 2)(X[:, 0])


def test_what_is_written_to_is_no_root_any_more() -> None:
    def shifted(x: Tensor) -> Tensor:
        y = x.abs()
        y += 1
        return y**2

    def radicand_changed(x: Tensor) -> Tensor:
        r = x * x
        y = r.sqrt()
        r += 1
        return y**2

    x = torch.zeros(2, dtype=torch.float64)
    with pytest.raises(ap.SingularPoint):
        ap.derivative(shifted, 2)(x)
    assert not torch.equal(ap.taylor(radicand_changed, 2)(x)[0], torch.ones(2, dtype=torch.float64))


def test_a_square_root_of_a_negative_number_stays_undefined() -> None:
    value = ap.taylor(lambda x: torch.sqrt(x) ** 2, 1)(tensor([0.0, -1.0], dtype=torch.float64))[0]
    assert value[0] == 0
    assert value[1].isnan()


def test_nothing_is_looked_at_in_networks_without_kinks(monkeypatch: pytest.MonkeyPatch) -> None:
    def looked(*_: Any) -> bool:
        raise AssertionError("a value was looked at")

    monkeypatch.setattr("apolar.rules.kinks.anywhere", looked)
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).double()
    ap.evaluate(lambda p: net(p).sin(), X, dx**2)
