"""What does a derivative of a function of one number cost, where nothing but overhead is to be paid?

``ap.derivative`` and ``ap.taylor`` at one point, without gradients of parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

import apolar as ap

from .suite.command import main
from .suite.peers import Peer
from .suite.results import Results

Function = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Scalar:
    """Derivatives of f at a number: all of them up to an order, or only the last."""

    label: str
    f: Function
    order: int
    all_of_them: bool = False
    device: str = "cpu"
    dtype: torch.dtype = torch.float64
    N: int = 1
    bar: None = None

    @property
    def components(self) -> int:
        return self.order + 1

    @property
    def x(self) -> Tensor:
        return torch.tensor(2.0, dtype=self.dtype, device=self.device)

    def floor(self) -> None:
        return None

    def on(self, device: str) -> Scalar:
        return replace(self, device=device)

    def small(self) -> Scalar:
        return replace(self, order=min(self.order, 5))

    def step(self, series: Callable[[], list[Any]]) -> Callable[[], list[Any]]:
        """``series`` gives all derivatives from the value on."""
        return series if self.all_of_them else lambda: series()[-1:]


def ours(problem: Scalar) -> Callable[[], list[Any]]:
    x = problem.x
    if problem.all_of_them:
        return lambda: ap.taylor(problem.f, problem.order)(x)
    return lambda: [ap.derivative(problem.f, problem.order)(x)]


def nested(problem: Scalar) -> Callable[[], list[Any]]:
    def series() -> list[Any]:
        x = problem.x.requires_grad_()
        found = [problem.f(x)]
        for n in range(1, problem.order + 1):
            found += torch.autograd.grad(found[-1], x, create_graph=n < problem.order)
        return found

    return problem.step(series)


def functional(problem: Scalar) -> Callable[[], list[Any]]:
    derivatives = [problem.f]
    for _ in range(problem.order):
        derivatives.append(torch.func.grad(derivatives[-1]))
    return problem.step(lambda: [f(problem.x) for f in (derivatives if problem.all_of_them else derivatives[-1:])])


def cubic(x: Tensor) -> Tensor:
    return x**3 + 2 * x**2 + 1


def composed(x: Tensor) -> Tensor:
    return torch.exp(torch.sin(x))


PROBLEMS = (
    Scalar("x³ + 2x² + 1, second derivative", cubic, 2),
    *(Scalar(f"exp sin x, derivatives up to {n}", composed, n, all_of_them=True) for n in (2, 5, 10, 20, 30)),
)
PEERS = (Peer("apolar", ours), Peer("nested", nested), Peer("grad∘grad", functional))


def run(argv: Sequence[str] | None = None) -> Results:
    return main("small", __doc__, PROBLEMS, rising=True, peers=PEERS, argv=argv)


if __name__ == "__main__":
    run()
