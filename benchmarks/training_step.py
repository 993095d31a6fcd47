"""How long does a training step take whose loss holds a differential operator of a network?

Value and gradient with respect to all parameters of the mean square of P(∂)u, for u a tanh network of four hidden layers of
64. apolar against nested torch.autograd.grad in the same process, interleaved; medians. Beside them the floor: the matrix
products that any method with m components needs (three for each hidden layer, m·N rows), measured with torch.matmul.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

import apolar as ap

WIDTH, LAYERS = 64, 4


@dataclass(frozen=True)
class Case:
    """A power of the Laplacian in d variables at N points."""

    name: str
    d: int
    N: int
    power: int

    @property
    def operator(self) -> ap.Operator:
        return ap.coordinates([f"x{i}" for i in range(self.d)]).laplacian ** self.power


CASES = (
    Case("Laplacian", 2, 2000, 1),
    Case("Laplacian", 10, 2000, 1),
    Case("biharmonic", 2, 500, 2),
    Case("biharmonic", 5, 500, 2),
)


def network(d: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Linear(d, WIDTH), nn.Tanh()]
    for _ in range(LAYERS - 1):
        layers += [nn.Linear(WIDTH, WIDTH), nn.Tanh()]
    return nn.Sequential(*layers, nn.Linear(WIDTH, 1))


def nested_laplacian(u: Tensor, X: Tensor) -> Tensor:
    (gradient,) = torch.autograd.grad(u.sum(), X, create_graph=True)
    terms = [
        torch.autograd.grad(gradient[:, i].sum(), X, create_graph=True)[0][:, i : i + 1] for i in range(X.shape[1])
    ]
    return torch.stack(terms).sum(0)


def nested(case: Case, net: nn.Module, X: Tensor) -> Tensor:
    X = X.detach().requires_grad_()
    u = net(X)
    for _ in range(case.power):
        u = nested_laplacian(u, X)
    return u


def step(values: Callable[[], Tensor], parameters: list[Tensor]) -> tuple[Tensor | None, ...]:
    return torch.autograd.grad(values().square().mean(), parameters, allow_unused=True)


def floor(case: Case) -> Callable[[], None]:
    rows = ap.algebra(case.operator).size * case.N
    a, w = torch.randn(rows, WIDTH), torch.randn(WIDTH, WIDTH)

    def products() -> None:
        for _ in range(LAYERS - 1):
            torch.matmul(a, w)
            torch.matmul(a, w)
            torch.matmul(a.mT, a)

    return products


def medians(functions: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Milliseconds, the functions taking turns."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(repeats + 3):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if turn >= 3:
                times[name].append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(t) for name, t in times.items()}


def measure(case: Case, repeats: int) -> str:
    """One row of the table."""
    net, X = network(case.d), torch.rand(case.N, case.d)
    parameters = list(net.parameters())

    def ours() -> Tensor:
        return ap.evaluate(net, X, case.operator)

    def theirs() -> Tensor:
        return nested(case, net, X)

    difference = (ours() - theirs()).detach().abs().max() / ours().detach().abs().max()
    t = medians(
        {
            "apolar": lambda: step(ours, parameters),
            "nested": lambda: step(theirs, parameters),
            "floor": floor(case),
        },
        repeats,
    )
    name = f"{case.name} d={case.d} N={case.N}"
    return (
        f"{name:<22}{ap.algebra(case.operator).size:>4}{t['apolar']:>11.1f}{t['nested']:>11.1f}{t['floor']:>10.1f}"
        f"{t['nested'] / t['apolar']:>7.1f}×{difference.item():>12.0e}"
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--repeats", type=int, default=15)
    arguments.add_argument("--threads", type=int, default=2)
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    print(f"{'case':<22}{'m':>4}{'apolar ms':>11}{'nested ms':>11}{'floor ms':>10}{'faster':>8}{'difference':>12}")
    for case in CASES:
        print(measure(case, options.repeats), flush=True)


if __name__ == "__main__":
    main()
