"""A case: a function, a generic point, and the reference that its derivatives are compared with."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn

from tests.oracles import chebyshev, contour
from tests.oracles.lines import Direction, Estimate, Function, Index

from .points import Maker

ORACLES = {"chebyshev": chebyshev.derivatives, "contour": contour.derivatives}


@dataclass(frozen=True)
class Case:
    """One line of a table.

    Attributes:
        name: unique among all tables.
        function: of the inputs; all floating-point tensors that it returns are compared.
        inputs: one maker per input; those of integers are never differentiated.
        oracle: ``contour`` where the function is analytic and takes complex tensors, else ``chebyshev``.
        tolerance: relative to the largest entry of the derivative, at least 1.
        refused: why ``UnsupportedOperator`` is an answer too; where empty, only the right number is.
    """

    name: str
    function: Function = field(repr=False)
    inputs: tuple[Maker, ...] = field(repr=False)
    oracle: str = "chebyshev"
    tolerance: float = 1e-8
    refused: str = ""

    def __str__(self) -> str:
        return self.name

    def point(self) -> list[Tensor]:
        """The inputs, the same in every run."""
        return self.drawn()[0]

    def directions(self) -> tuple[list[Tensor | None], list[Tensor | None]]:
        """Random v and w with entries between −1 and 1; ``None`` for inputs that are not differentiated."""
        return self.drawn()[1:]

    def drawn(self) -> tuple[list[Tensor], list[Tensor | None], list[Tensor | None]]:
        generator = torch.Generator().manual_seed(zlib.crc32(self.name.encode()))
        x = [make(generator) for make in self.inputs]

        def direction(p: Tensor) -> Tensor | None:
            return 2 * torch.rand(p.shape, generator=generator, dtype=p.dtype) - 1 if p.is_floating_point() else None

        return x, [direction(p) for p in x], [direction(p) for p in x]


@cache
def reference(case: Case, only: int | None = None) -> dict[Index, Estimate]:
    """All derivatives of a case from its oracle; ``only`` keeps all inputs but one still."""
    x, v, w = case.drawn()
    return ORACLES[case.oracle](case.function, x, alone(v, only), alone(w, only))


def alone(direction: Direction, only: int | None) -> list[Tensor | None]:
    """The direction with every input but one kept still."""
    return [d if only is None or k == only else None for k, d in enumerate(direction)]


def cotangent(case: Case, size: int) -> Tensor:
    """Random output weights."""
    generator = torch.Generator().manual_seed(zlib.crc32(case.name.encode()) + 1)
    return 2 * torch.rand(size, generator=generator, dtype=torch.float64) - 1


def case(name: str, function: Function, *inputs: Maker, **options: Any) -> Case:
    """A case for ``chebyshev``."""
    return Case(name, function, inputs, **options)


analytic = partial(case, oracle="contour")


def seeded(build: type[nn.Module] | Function, *arguments: Any, **options: Any) -> Any:
    """A module in float64 with weights that do not depend on the order of the tests, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = build(*arguments, **options).double().eval()
        for parameter in module.parameters():
            if parameter.dim() == 1:  # scales and shifts that are not 1 and 0
                parameter.data += 0.2 * torch.randn_like(parameter)
    return module.requires_grad_(False)


def listed(cases: Sequence[Case]) -> tuple[Case, ...]:
    """The cases as a tuple, their names checked to be different."""
    names = [c.name for c in cases]
    twice = {name for name in names if names.count(name) > 1}
    assert not twice, f"cases with the same name: {sorted(twice)}"
    return tuple(cases)
