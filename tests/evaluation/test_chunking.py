"""Rows in chunks against all at once, and what memory they need."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import apolar as ap
from apolar.errors import ShapeError

C = ap.coordinates("x y")
dx, dy = C
X = torch.rand(37, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Sigmoid(), nn.Linear(16, 2)).double()


def gradients(net: nn.Module, points: Tensor, evaluate: Callable[..., tuple[Tensor, ...]]) -> list[Tensor]:
    points = points.clone().requires_grad_()
    u, ux, lap = evaluate(net, points, 1, dx, C.laplacian)
    loss = (u * lap + ux.square()).sum()
    return [loss.detach(), *torch.autograd.grad(loss, [points, *net.parameters()])]


@pytest.mark.parametrize("limit", [5_000, 12_345, 40_000, 10**9])
def test_values_and_gradients_do_not_depend_on_the_limit(limit: int) -> None:
    net = network()
    found = gradients(net, X, lambda *a: ap.evaluate(*a, max_memory=limit))
    expected = gradients(net, X, ap.evaluate)
    assert all(torch.allclose(a, b, rtol=1e-12, atol=1e-14) for a, b in zip(found, expected, strict=True))


def test_with_a_chunk_size() -> None:
    sizes: list[int] = []

    def f(p: Tensor) -> Tensor:
        sizes.append(len(p))
        return p.sin()

    with torch.no_grad():
        found = ap.evaluate(f, X, C.laplacian, max_memory=10**9, chunk_size=10)
        assert torch.allclose(found, -X.sin())
    assert 7 in sizes
    assert not {n for n in sizes if n > 16}


def test_random_functions_are_run_again_alike() -> None:
    """Dropout draws the same numbers when reverse mode runs a chunk again: the gradient is that of the value."""
    net = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Dropout(0.5), nn.Linear(32, 1)).double()
    u = ap.evaluate(net, X, C.laplacian, max_memory=20_000)
    (slope,) = torch.autograd.grad(u.sum(), net[3].weight)
    assert torch.allclose((slope * net[3].weight).sum(), u.sum())


class Scaled(nn.Module):
    """With all kinds of things that a function can read."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = network()
        self.register_buffer("offset", torch.ones(2, dtype=torch.float64))
        self.factor, self.calls = 2.0, 0

    def forward(self, p: Tensor) -> Tensor:
        self.calls += 1
        return self.factor * self.inner(p * SCALE + self.offset)


SCALE = torch.ones(2, dtype=torch.float64)

CHANGES: dict[str, Callable[[Scaled, Tensor], Any]] = {
    "a step of an optimiser": lambda net, x: torch.optim.SGD(net.parameters(), 0.1).step(),
    "a buffer": lambda net, x: net.offset.mul_(2),
    "a global tensor": lambda net, x: SCALE.mul_(2),
    "the points": lambda net, x: x.mul_(2),
    "a number": lambda net, x: setattr(net, "factor", 3.0),
    "a parameter that is replaced": lambda net, x: setattr(net.inner[0], "bias", nn.Parameter(net.inner[0].bias + 1)),
    "a layer": lambda net, x: net.inner.__setitem__(1, nn.Sigmoid()),
    "the mode": lambda net, x: net.eval(),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_changed_before_backward_is_seen(name: str) -> None:
    """Without a limit autograd sees it, or has kept what it needs."""
    net, points = Scaled(), X.clone()
    loss = ap.evaluate(net, points, C.laplacian, max_memory=40_000).square().sum()
    for p in net.parameters():
        p.grad = torch.ones_like(p)
    with torch.no_grad():
        CHANGES[name](net, points)
    with pytest.raises(RuntimeError, match=r"before the backward pass|modified by an inplace"):  # or by autograd
        loss.backward()


def test_what_f_changes_itself_is_no_change() -> None:
    class Counting(Scaled):
        def forward(self, p: Tensor) -> Tensor:
            with torch.no_grad():
                self.total.add_(1)
            return super().forward(p)

    net = Counting()
    net.register_buffer("total", torch.zeros(()))
    expected = torch.autograd.grad(
        ap.evaluate(net, X, C.laplacian).square().sum(), list(net.parameters()), allow_unused=True
    )
    loss = ap.evaluate(net, X, C.laplacian, max_memory=40_000).square().sum()
    for _ in range(2):
        found = torch.autograd.grad(loss, list(net.parameters()), retain_graph=True, allow_unused=True)
        assert all(a is b or torch.allclose(a, b, rtol=1e-12) for a, b in zip(found, expected, strict=True))


TOO_MUCH: dict[str, Callable[[], object]] = {
    "no row fits": lambda: ap.evaluate(network(), X, C.laplacian, max_memory=100),
    "no rows": lambda: ap.evaluate(network(), X[0], C.laplacian, max_memory=10**6),
}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_limits_that_cannot_be_kept(name: str) -> None:
    with pytest.raises(ShapeError, match="max_memory"):
        TOO_MUCH[name]()


SCRIPT = """
import re, torch, apolar as ap
torch.set_num_threads(1)
net = torch.nn.Sequential(
    torch.nn.Linear(2, 64), torch.nn.Tanh(), torch.nn.Linear(64, 64), torch.nn.Tanh(), torch.nn.Linear(64, 1)
)
lap = ap.coordinates("x y").laplacian
X = torch.rand(150_000, 2)
peak = lambda: 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
with ap.settings(kernels="compiled"):  # those that are ready at once, whatever else the machine does
    for limit in (None, 1_000_000):  # with a limit too: at its first call torch.utils.checkpoint imports torch's compiler
        ap.evaluate(net, torch.rand(500, 2), lap, max_memory=limit).square().mean().backward()
    before = peak()
    ap.evaluate(net, X, lap, max_memory={limit}).square().mean().backward()
print(peak() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc tells the peak of a process")
def test_the_peak_of_a_process() -> None:
    """Value and gradient at many points: within the limit, and far more without one."""
    grown = {}
    for limit in ("None", "64_000_000"):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT.replace("{limit}", limit)], capture_output=True, text=True, check=True
        )
        grown[limit] = int(done.stdout)
    assert grown["64_000_000"] < 64_000_000
    assert grown["None"] > 4 * grown["64_000_000"]


def test_coordinates_may_be_tensors_of_their_own() -> None:
    """One tensor of N numbers for each coordinate, as without a limit."""
    x, y = torch.rand(2, 60, dtype=torch.float64).unbind(0)
    found = ap.evaluate(lambda x, y: torch.sin(x * y), (x, y), C.laplacian, max_memory=1_000)
    assert torch.allclose(found, -(x**2 + y**2) * torch.sin(x * y), rtol=1e-12)


def test_a_function_that_fails_is_named() -> None:
    def f(p: torch.Tensor) -> torch.Tensor:
        return p @ torch.ones(7, 1, dtype=p.dtype)

    with pytest.raises(ap.FunctionError, match="f fails on plain tensors"):
        ap.evaluate(f, X, C.laplacian, max_memory=10**6)
