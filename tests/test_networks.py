"""Operators of networks against nested autograd: values, and gradients with respect to parameters and points."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import cache

import pytest
import torch
from torch import Tensor, nn

import apolar as ap
from apolar import Operator
from tests.oracles.nested_autograd import Derivatives

C = ap.coordinates("x t")
dx, dt = C
TOLERANCE = 1e-10

OPERATORS: dict[str, tuple[Operator, ...]] = {
    "value and gradient": (C.one, dx, dt),
    "Laplacian": (C.laplacian,),
    "heat": (dt - 0.1 * dx**2,),
    "Burgers": (C.one, dx, dt, dx**2),
    "all second derivatives": (dx**2, dx * dt, dt**2),
    "third derivatives": (dx**3, dx**2 * dt, dt**3 - 2 * dx),
    "biharmonic": (C.bilaplacian,),
}


class Sine(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(x)


class HandLayerNorm(nn.Module):
    """nn.LayerNorm in words that PyTorch differentiates rightly."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        return centred / torch.sqrt((centred**2).mean(-1, keepdim=True) + 1e-5) * self.weight + self.bias


def mlp(activation: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(2, 6), activation, nn.Linear(6, 5), activation, nn.Linear(5, 2))


class Residual(nn.Module):
    """Layer norm before each block, in the words of torch or by hand."""

    def __init__(self, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(2, 5), nn.Linear(5, 2)
        self.blocks = nn.ModuleList(nn.Sequential(norm(5), nn.Linear(5, 5), nn.Tanh()) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for block in self.blocks:
            x = x + block(x)
        return self.last(x)


class Transformer(nn.Module):
    """A token for each coordinate; one encoder layer."""

    def __init__(self, norm: Callable[[int], nn.Module], activation: str, norm_first: bool) -> None:
        super().__init__()
        self.embed, self.place = nn.Linear(1, 4), nn.Parameter(0.3 * torch.randn(2, 4))
        self.layer = nn.TransformerEncoderLayer(4, 2, 6, 0.0, activation, batch_first=True, norm_first=norm_first)
        self.layer.norm1, self.layer.norm2 = norm(4), norm(4)
        self.last = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed(x.unsqueeze(-1)) + self.place
        return self.last(self.layer(tokens).mean(-2))


class Convolutional(nn.Module):
    """The coordinates spread out on a line of two channels."""

    def __init__(self) -> None:
        super().__init__()
        self.spread = nn.Linear(2, 12)
        self.net = nn.Sequential(
            nn.Conv1d(2, 3, 3, padding=1), nn.Tanh(), nn.AvgPool1d(2), nn.Conv1d(3, 2, 2), nn.SiLU()
        )
        self.last = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.net(self.spread(x).unflatten(-1, (2, 6))).flatten(-2))


class Fourier(nn.Module):
    """sin and cos of random frequencies, then a network."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.randn(2, 4))
        self.net = nn.Sequential(nn.Linear(8, 5), nn.Tanh(), nn.Linear(5, 2))

    def forward(self, x: Tensor) -> Tensor:
        phase = 2 * torch.pi * x @ self.frequencies
        return self.net(torch.cat([torch.sin(phase), torch.cos(phase)], -1))


class Gated(nn.Module):
    """Products of layers, as in modified networks for equations."""

    def __init__(self) -> None:
        super().__init__()
        self.u, self.v, self.h, self.last = nn.Linear(2, 5), nn.Linear(2, 5), nn.Linear(2, 5), nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        gate = torch.sigmoid(self.h(x))
        return self.last(gate * torch.tanh(self.u(x)) + (1 - gate) * torch.tanh(self.v(x)))


class Experts(nn.Module):
    """A mixture whose weights are a softmax, of radial functions and of a network with skipped layers."""

    def __init__(self) -> None:
        super().__init__()
        self.choice, self.centres = nn.Linear(2, 2), nn.Parameter(torch.randn(4, 2))
        self.first, self.second, self.last = nn.Linear(2, 3), nn.Linear(5, 3), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        radial = torch.exp(-((x[..., None, :] - self.centres) ** 2).sum(-1))
        dense = torch.tanh(self.first(x))
        dense = nn.functional.elu(self.second(torch.cat([x, dense], -1)))
        choice = torch.softmax(self.choice(x), -1)
        return choice[..., :1] * self.last(radial) + choice[..., 1:] * dense[..., :2] * dense[..., 2:].exp()


class Recurrent(nn.Module):
    """The coordinates one after another through a recurrent layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.last = nn.GRU(1, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.layer(x.unsqueeze(-1))[0][..., -1, :])


def normalised_by_batch() -> nn.Module:
    """In evaluation mode, with statistics as if it had been trained."""
    net = nn.Sequential(nn.Linear(2, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 2)).eval()
    net[1].running_mean.uniform_(-1, 1)
    net[1].running_var.uniform_(0.5, 2)
    return net


def weight_normalised() -> nn.Module:
    hidden = nn.utils.parametrizations.weight_norm(nn.Linear(2, 5))
    return nn.Sequential(hidden, nn.Tanh(), nn.Dropout(0.0), nn.Linear(5, 2))


Builder = Callable[[Callable[[int], nn.Module]], nn.Module]
NETWORKS: dict[str, Builder] = {
    "tanh": lambda norm: mlp(nn.Tanh()),
    "gelu": lambda norm: mlp(nn.GELU()),
    "gelu by tanh": lambda norm: mlp(nn.GELU(approximate="tanh")),
    "silu": lambda norm: mlp(nn.SiLU()),
    "sin": lambda norm: mlp(Sine()),
    "softplus": lambda norm: mlp(nn.Softplus()),
    "residual with layer norm": Residual,
    "transformer": lambda norm: Transformer(norm, "gelu", norm_first=False),
    "transformer, norm first": lambda norm: Transformer(norm, "relu", norm_first=True),
    "convolutional": lambda norm: Convolutional(),
    "Fourier features": lambda norm: Fourier(),
    "gated": lambda norm: Gated(),
    "experts": lambda norm: Experts(),
    "recurrent": lambda norm: Recurrent(),
    "batch norm in evaluation": lambda norm: normalised_by_batch(),
    "weight norm": lambda norm: weight_normalised(),
}
"""What builds a network, given what builds a layer norm."""

ONE_BATCH_AXIS = ("convolutional", "transformer", "transformer, norm first", "recurrent", "batch norm in evaluation")
"""Whose layers in torch take points (N, …) only."""

POINTS = torch.tensor([[0.3, -0.7], [1.1, 0.4], [-0.6, 0.8]], dtype=torch.float64)


@cache
def built(name: str) -> tuple[nn.Module, nn.Module]:
    """A network, and the same with parameters of its own for the reference, with layer norms by hand."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        net = NETWORKS[name](nn.LayerNorm).double()
        reference = NETWORKS[name](HandLayerNorm).double()
    reference.load_state_dict(net.state_dict())
    return net, reference


@cache
def reference(name: str) -> Derivatives:
    return Derivatives(built(name)[1], POINTS)


def weights(results: Sequence[Tensor]) -> list[Tensor]:
    """What the results are summed with, so that one gradient tells about all of them."""
    generator = torch.Generator().manual_seed(2)
    return [torch.randn(y.shape, generator=generator, dtype=y.dtype) for y in results]


def loss(results: Sequence[Tensor]) -> Tensor:
    return sum(((w * y).sum() for w, y in zip(weights(results), results)), torch.zeros((), dtype=torch.float64))


def equal(found: Tensor, expected: Tensor, scale: float) -> None:
    assert found.shape == expected.shape
    error = float((found - expected).abs().max())
    assert error <= TOLERANCE * scale, f"off by {error / scale:.1e}, relative"


def size(tensors: Sequence[Tensor]) -> float:
    return max(float(t.abs().max()) for t in tensors)


def evaluated(name: str, operators: str, points: Tensor = POINTS) -> tuple[Tensor, ...]:
    results = ap.evaluate(built(name)[0], points, *OPERATORS[operators])
    return results if isinstance(results, tuple) else (results,)


GRID = list(itertools.product(NETWORKS, OPERATORS))
grid = pytest.mark.parametrize("name, operators", GRID, ids=[f"{n}-{o}" for n, o in GRID])


@grid
def test_values(name: str, operators: str) -> None:
    for found, p in zip(evaluated(name, operators), OPERATORS[operators], strict=True):
        expected = reference(name).operator(p.terms)
        equal(found, expected, size([expected]))


@grid
def test_parameter_gradients(name: str, operators: str) -> None:
    """Every gradient to the tolerance, relative to its own size, or to a thousandth of the largest."""
    net, plain = built(name)
    expected = torch.autograd.grad(
        loss([reference(name).operator(p.terms) for p in OPERATORS[operators]]),
        list(plain.parameters()),
        retain_graph=True,
        materialize_grads=True,
    )
    found = torch.autograd.grad(loss(evaluated(name, operators)), list(net.parameters()), materialize_grads=True)
    floor = 1e-3 * size(expected)
    for a, b in zip(found, expected, strict=True):
        equal(a, b, max(size([b]), floor))


@pytest.mark.parametrize("operators", ["Burgers", "biharmonic"])
@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_of_points(name: str, operators: str) -> None:
    expected = torch.autograd.grad(
        loss([reference(name).operator(p.terms) for p in OPERATORS[operators]]),
        reference(name).columns,
        retain_graph=True,
    )
    points = POINTS.clone().requires_grad_()
    (found,) = torch.autograd.grad(loss(evaluated(name, operators, points)), points)
    equal(found, torch.stack(expected, -1), size(expected))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_same_without_gradients(name: str) -> None:
    """Where nothing is recorded, products are accumulated in place, and torch itself takes other paths."""
    expected = evaluated(name, "biharmonic")[0].detach()
    net = built(name)[0]
    with torch.no_grad():
        equal(evaluated(name, "biharmonic")[0], expected, size([expected]))
    with torch.inference_mode():
        equal(evaluated(name, "biharmonic")[0], expected, size([expected]))
    training = net.training
    net.eval()
    try:
        equal(evaluated(name, "biharmonic")[0], expected, size([expected]))
        with torch.no_grad():
            equal(evaluated(name, "biharmonic")[0], expected, size([expected]))
    finally:
        net.train(training)


@pytest.mark.parametrize("name", NETWORKS)
def test_single_precision(name: str) -> None:
    expected = evaluated(name, "third derivatives")
    single = NETWORKS[name](nn.LayerNorm)
    single.load_state_dict(built(name)[0].state_dict())
    found = ap.evaluate(single, POINTS.float(), *OPERATORS["third derivatives"])
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == torch.float32
        assert torch.allclose(a.double(), b, rtol=0, atol=1e-3 * size([b]))


@pytest.mark.parametrize("name", NETWORKS)
def test_one_point_and_more_axes(name: str) -> None:
    """A point alone, and points on a grid, give what they give in a batch."""
    expected = evaluated(name, "Laplacian")[0]
    grid_of_points = POINTS.repeat(2, 1).reshape(2, 3, 2)
    if name in ONE_BATCH_AXIS:
        grid_of_points = POINTS.repeat(2, 1)
    found = evaluated(name, "Laplacian", grid_of_points)[0]
    equal(found.reshape(2, 3, 2), expected.expand(2, 3, 2), size([expected]))
    if name != "batch norm in evaluation":
        alone = evaluated(name, "Laplacian", POINTS[1])[0]
        equal(alone, expected[1], size([expected]))


def training_steps(lifted: bool) -> list[float]:
    """A few steps on the residual of the heat equation."""
    torch.manual_seed(3)
    net = mlp(nn.Tanh()).double()
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
    heat = dt - 0.1 * dx**2
    losses = []
    for _ in range(8):
        optimiser.zero_grad()
        residual = ap.evaluate(net, POINTS, heat) if lifted else Derivatives(net, POINTS).operator(heat.terms)
        mean_square = (residual**2).mean() + (net(POINTS) - 1).square().mean()
        mean_square.backward()
        optimiser.step()
        losses.append(float(mean_square))
    return losses


def test_training_goes_the_same_way() -> None:
    lifted = training_steps(lifted=True)
    assert lifted == pytest.approx(training_steps(lifted=False), rel=1e-9)
    assert lifted[-1] < lifted[0]
