"""Functions to explain, each with its inputs: one table for all tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

torch.manual_seed(0)


def _normal(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


def _positive(*shape: int) -> Tensor:
    return torch.rand(shape, dtype=torch.float64) * 0.6 + 0.2


@dataclass(frozen=True)
class Scenario:
    """A function of tensors and where it is explained."""

    name: str
    function: Callable[..., Tensor]
    inputs: tuple[Tensor, ...]
    order: int = 2

    def __str__(self) -> str:
        return self.name


def _loop(x: Tensor) -> Tensor:
    total = torch.zeros((), dtype=torch.float64)
    for entry in x:
        total += entry**2
    return total


def _in_place(x: Tensor) -> Tensor:
    z = x.clone()
    z.add_(x)
    z *= 2
    return z.sin_()


NET = nn.Sequential(
    nn.Linear(3, 4), nn.ReLU(inplace=True), nn.LayerNorm(4), nn.GELU(), nn.Linear(4, 2), nn.Softmax(-1)
).double()
NORMALISED = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 1)).double()
IMAGES = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 1)).double()

A, B, C = _normal(3, 2), _normal(2, 3), _normal(3)

IN_TORCH = (
    "exp2", "expm1", "log2", "log10", "log1p", "logit", "sigmoid", "erf", "erfc", "lgamma", "digamma", "abs",
    "sign", "floor", "ceil", "square", "reciprocal", "sqrt", "rsqrt", "sin", "cos", "tan", "asin", "acos", "atan",
    "sinh", "cosh", "tanh", "asinh", "atanh", "relu", "exp", "log", "deg2rad",
)  # fmt: skip

IN_FUNCTIONAL = (
    "softplus", "gelu", "silu", "mish", "elu", "leaky_relu", "relu6", "logsigmoid", "softsign", "tanhshrink",
    "hardswish", "selu",
)  # fmt: skip

OF_ONE_NUMBER = [
    *(Scenario(name, getattr(torch, name), (_positive(3),), 3) for name in IN_TORCH),
    *(Scenario(name, getattr(F, name), (_normal(4),)) for name in IN_FUNCTIONAL),
    Scenario("acosh", torch.acosh, (_positive(3) + 1,), 3),
    Scenario("gelu by tanh", lambda x: F.gelu(x, approximate="tanh"), (_normal(3),)),
    Scenario("steep softplus", lambda x: F.softplus(x, beta=3.0), (_normal(3),)),
    Scenario("clamp", lambda x: x.clamp(-0.5, 0.5) ** 2, (_normal(4),)),
    Scenario("numbers", lambda x: 2**x + x**0.5 + 1 / x - x**-2 + (3 - x) ** 3 + x / 3, (_positive(),), 3),
    Scenario("powers that end", lambda x: x**0 + x**1 + x * 0, (_positive(),), 3),
    Scenario("linear", lambda x: 3 * x + 1, (_positive(),), 3),
    Scenario("where", lambda x: torch.where(x > 0, x**2, x**3), (_normal(4),), 3),
    Scenario("a condition", lambda x: x**2 if x > 0 else x**3, (_normal(),)),
]

OF_TENSORS = [
    Scenario(
        "larger and smaller", lambda x, y: torch.maximum(x, y) * torch.min(x, y) + torch.max(x, y), (C, _normal(3))
    ),
    Scenario("power", lambda x, y: x**y, (_positive(), _positive())),
    Scenario("atan2", torch.atan2, (_normal(), _normal())),
    Scenario("of two", lambda x, y: torch.hypot(x, y) + torch.logaddexp(x, y) + torch.lerp(x, y, 0.3), (C, _normal(3))),
    Scenario("unused", lambda x, y: x**2, (_normal(), _normal())),
    Scenario("broadcast", lambda x, y: x * y + x / y, (_normal(3, 1), _positive(4))),
    Scenario("broadcast number", lambda x, y: (x * y).sin(), (C, _normal())),
    Scenario("sum", lambda x: (x**2).sum(), (C,)),
    Scenario("product of sums", lambda x: (x**2).sum(0).prod(), (A,)),
    Scenario("mean", lambda x: (x**3).mean(), (C,), 3),
    Scenario("means of rows", lambda x: (x**3).mean(1, keepdim=True) * x, (A,)),
    Scenario("matrices", lambda x, y: (x @ y).tanh().sum(), (A, B)),
    Scenario("matrix and vector", lambda x, y: (x @ y).tanh().sum(), (B, C)),
    Scenario("vector and matrix", lambda x, y: (x @ y).tanh().sum(), (C, A)),
    Scenario("vectors", lambda x, y: (x @ y).tanh(), (C, _normal(3))),
    Scenario("batch of matrices", lambda x, y: (x @ y).tanh().sum(), (_normal(4, 3, 2), B)),
    Scenario("linear layer", lambda x, w, b: F.linear(x, w, b).tanh(), (C, B, _normal(2))),
    Scenario("softmax", lambda x: (x.softmax(-1) * C).sum(), (B,)),
    Scenario("softmax of functional", lambda x: (F.softmax(x, dim=-1) * C).sum(), (B,)),
    Scenario("log_softmax", lambda x: (x.log_softmax(-1) * C).sum(), (B,)),
    Scenario("logsumexp", lambda x: x.logsumexp(0), (C,)),
    Scenario("logsumexp of rows", lambda x: x.logsumexp(1), (A,)),
    Scenario("norm", lambda x: x.norm() + torch.linalg.norm(x), (C,)),
    Scenario("norms of rows", lambda x: torch.linalg.vector_norm(x, dim=1), (A,)),
    Scenario("mse_loss", lambda x, y: F.mse_loss(x.sin(), y), (C, _normal(3))),
    Scenario("sum of squares", lambda x, y: F.mse_loss(x.sin(), y, reduction="sum"), (C, _normal(3))),
    Scenario("cross_entropy", lambda x: F.cross_entropy(x, torch.tensor([0, 2])), (B,)),
    Scenario("layer_norm", lambda x: (F.layer_norm(x, (3,)) ** 3).sum(), (B,)),
    Scenario("cat", lambda x, y: (torch.cat([x, y]) ** 3).sum(), (C, _normal(2))),
    Scenario("stack", lambda x, y: (torch.stack([x, y]) ** 3).sum(), (C, _normal(3))),
    Scenario("entries", lambda x: x[0] * x[1] + x[2] ** 2, (C,)),
    Scenario("slices", lambda x: (x[1:] * x[:-1]).sum(), (C,)),
    Scenario("unpacked", lambda x: (lambda a, b, c: a * b**2 * c)(*x), (C,)),
    Scenario("maxima of rows", lambda x: x.max(1).values.sum() ** 2, (A,)),
    Scenario("shapes", lambda x: (x.reshape(2, 3).T @ x.view(2, 3)).sum(), (_normal(6),)),
    Scenario("prod", lambda x: x.prod(), (C,)),
    Scenario("cumsum", lambda x: (x.cumsum(0) ** 2).sum(), (C,)),
    Scenario("var", lambda x: x.var(), (C,)),
    Scenario("einsum", lambda x, y: torch.einsum("ij,jk->ik", x, y).sin().sum(), (A, B)),
    Scenario("in place", _in_place, (C,)),
    Scenario("loop", _loop, (C,)),
    Scenario("network", NET, (_normal(5, 3),)),
    Scenario("batch normalisation", NORMALISED, (_normal(5, 3),)),
    Scenario("images", IMAGES, (_normal(2, 1, 6, 6),), 1),
    Scenario("cell", nn.GRUCell(3, 2).double(), (_normal(2, 3), _normal(2, 2)), 1),
]

SCENARIOS = OF_ONE_NUMBER + OF_TENSORS

FORMULAS: dict[str, dict[str, Any]] = {
    "cos(x^2)": {"x": 0.5},
    "x^y": {"x": 2, "y": 3},
    "sqrt(x^2 + y^2)": {"x": 3, "y": 4},
    "sin(x)/x": {"x": 1},
    "exp(-x^2/2)/sqrt(2*pi)": {"x": 0.3},
    "log(x + sqrt(x^2 + 1))": {"x": 2},
    "atan2(y, x)": {"x": 1, "y": 2},
    "1/(1 + exp(-x))": {"x": 0.7},
    "tanh(theta*x + b)": {"x": 1, "theta": 0.3, "b": 0.1},
    "x^3 - 2*x^2 + 0.1*x": {"x": 1.5},
    "2^x": {"x": 1.5},
    "abs(x)*erf(x)": {"x": -0.5},
    "relu(x)*softplus(y)": {"x": 1, "y": 2},
    "silu(x) + gelu(x)": {"x": 0.4},
}
