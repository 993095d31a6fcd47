"""Scenarios: functions with inputs, that every transform is run through.

Three tables: functions of one variable entry by entry and fields, which are formulas whose derivatives SymPy knows; and
functions of all entries of one or several tensors, whose derivatives ``torch_func`` finds.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from . import formulas
from .formulas import Field, Formula

Argnums = int | tuple[int, ...]


def draw(name: str, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Numbers between −1 and 1, the same in every run; those of single precision are exact in double precision as well."""
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    return (2 * torch.rand(shape, generator=generator) - 1).to(dtype)


@dataclass(frozen=True)
class Scenario:
    """A function of one or several tensors, and where to differentiate it.

    Attributes:
        function: returns a tensor, or a nest of tensors.
        shapes: of its arguments.
        argnums: with respect to which of them.
    """

    name: str
    function: Callable[..., Any] = field(repr=False)
    shapes: tuple[tuple[int, ...], ...] = ((3,),)
    argnums: Argnums = 0

    def __str__(self) -> str:
        return self.name

    def inputs(self, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
        return tuple(draw(f"{self.name} {k}", *shape, dtype=dtype) for k, shape in enumerate(self.shapes))

    def directions(self, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
        return tuple(draw(f"{self.name} {k} direction", *s, dtype=dtype) for k, s in enumerate(self.shapes))


# ------------------------------------------------------------------------------------------------------- entry by entry

EXPRESSIONS = (
    "x**3 + 2*x**2 + 1", "sin(x)", "exp(-x**2)*cos(3*x)", "tanh(x)**2", "log(2 + x)", "1/(1 + x**2)", "sqrt(x + 3)",
    "atan(2*x)", "x*erf(x)", "5*x - 1", "0*x + 7", "x**2/(2 + sin(x))",
)  # fmt: skip
ENTRYWISE: dict[str, Formula] = {e: Formula(e, ("x",)) for e in EXPRESSIONS}
ENTRYWISE_SHAPES: tuple[tuple[int, ...], ...] = ((), (1,), (4,), (2, 3), (2, 1, 2), (0,))

# --------------------------------------------------------------------------------------------------------------- fields

FIELDS: dict[str, Field] = {
    "one coordinate": formulas.field("x", "sin(2*x)*x**2"),
    "two coordinates": formulas.field("x y", "sin(x)*exp(y) + x**3*y**4"),
    "harmonic": formulas.field("x y", "exp(x)*cos(y)"),
    "a plane flow": formulas.field("x y", "-y + x**2*y", "x*cos(y)"),
    "a shear": formulas.field("x y", "2*y", "0"),
    "three coordinates": formulas.field("x y z", "x*y**2*z**3 + exp(x - z)"),
    "a flow in space": formulas.field("x y z", "y*z", "x**2 - z", "sin(x*y) + z**2"),
    "a rotation": formulas.field("x y z", "-y", "x", "0"),
    "four coordinates": formulas.field("a b c d", "a*b*c*d + tanh(a + 2*d)"),
    "a field in four coordinates": formulas.field("a b c d", "a*b", "b**2", "sin(c*d)", "d"),
    "more components than coordinates": formulas.field("x y", "x", "x*y**3", "sin(x - y)", "1"),
}
BATCHES: tuple[tuple[int, ...], ...] = ((), (1,), (4,), (2, 3), (0,))

# ------------------------------------------------------------------------------------------ functions of all the entries


def quadratic(x: Tensor) -> Tensor:
    n = torch.arange(1, x.numel() + 1, dtype=x.dtype).reshape(x.shape)
    return (n * x).sum() ** 2 + (x * x.flip(0)).sum()


def smooth(x: Tensor) -> Tensor:
    return (torch.sin(x) * x.roll(1) ** 2).sum() + torch.exp(x).prod()


def softmax_entropy(x: Tensor) -> Tensor:
    p = torch.softmax(x.reshape(-1), 0)
    return -(p * torch.log(p)).sum()


def branching(x: Tensor) -> Tensor:
    return (x**3).sum() * x.reshape(-1)[0] if x.sum() > -100 else x.sum()


def vector(x: Tensor) -> Tensor:
    return torch.stack([torch.sin(x).prod() * x.sum(), (x**3 * x.roll(1)).sum()])


def table(x: Tensor) -> Tensor:
    return torch.tanh(x)[..., None] * torch.stack([x**2, torch.cos(x)], -1)


def nested(x: Tensor) -> dict[str, Any]:
    return {"entries": torch.sin(x), "more": (x.prod(), [x**2 * x.sum()])}


def pair(x: Tensor) -> tuple[Tensor, Tensor]:
    return x.sum() ** 3, x.flip(0) * x


def mixed(a: Tensor, b: Tensor) -> Tensor:
    return (torch.sin(a)[:, None] * b).sum(0) * a.sum() + (b**2).sum()


def mixed_number(a: Tensor, b: Tensor) -> Tensor:
    return torch.tanh(mixed(a, b)).sum()


def mixed_nest(a: Tensor, b: Tensor, c: Tensor) -> dict[str, Tensor]:
    return {"ab": a * b.sum(), "bc": torch.sin(b * c).sum(0)}


def linear(x: Tensor) -> Tensor:
    return 2 * x.sum() - x.reshape(-1)[0]


def constant(x: Tensor) -> Tensor:
    return torch.ones((), dtype=x.dtype)


def one_entry(x: Tensor) -> Tensor:
    return x**3 * torch.exp(x)


NUMBERS: tuple[Scenario, ...] = (
    Scenario("a number of a number", one_entry, ((),)),
    Scenario("a quadratic form", quadratic, ((4,),)),
    Scenario("a function of a vector", smooth, ((4,),)),
    Scenario("a function of one entry", smooth, ((1,),)),
    Scenario("a function of a matrix", smooth, ((2, 3),)),
    Scenario("an entropy", softmax_entropy, ((5,),)),
    Scenario("a branch", branching, ((2, 2),)),
    Scenario("a linear function", linear, ((3,),)),
    Scenario("a constant", constant, ((3,),)),
    Scenario("the first of two arguments", mixed_number, ((3,), (3, 2)), 0),
    Scenario("the second of two arguments", mixed_number, ((3,), (3, 2)), 1),
    Scenario("the last argument", mixed_number, ((3,), (3, 2)), -1),
    Scenario("both arguments", mixed_number, ((3,), (3, 2)), (0, 1)),
    Scenario("both arguments, turned round", mixed_number, ((3,), (3, 2)), (1, 0)),
    Scenario("a tuple of one argument", mixed_number, ((3,), (3, 2)), (1,)),
)
"""Functions that return one number, of no axes."""

SEVERAL: tuple[Scenario, ...] = (
    Scenario("a vector", vector, ((4,),)),
    Scenario("a vector of a matrix", vector, ((2, 2),)),
    Scenario("a vector of one entry", one_entry, ((1,),)),
    Scenario("a table", table, ((3,),)),
    Scenario("a nest", nested, ((3,),)),
    Scenario("a nest of a matrix", nested, ((2, 2),)),
    Scenario("a pair", pair, ((3,),)),
    Scenario("a vector of the first of two arguments", mixed, ((3,), (3, 2)), 0),
    Scenario("a vector of both arguments", mixed, ((3,), (3, 2)), (0, 1)),
    Scenario("a vector of a tuple of one argument", mixed, ((3,), (3, 2)), (1,)),
    Scenario("a nest of two of three arguments", mixed_nest, ((2,), (3, 2), ()), (2, 0)),
)
"""Functions that return tensors, or nests of them."""

FUNCTIONS: tuple[Scenario, ...] = (*NUMBERS, *SEVERAL)
ONE_ARGUMENT: tuple[Scenario, ...] = tuple(s for s in FUNCTIONS if len(s.shapes) == 1)
MANY: tuple[Scenario, ...] = (
    Scenario("30 variables", smooth, ((30,),)),
    Scenario("30 variables in a matrix", quadratic, ((5, 6),)),
    Scenario("an entropy of 30 variables", softmax_entropy, ((30,),)),
    Scenario("a linear function of 30 variables", linear, ((30,),)),
    Scenario("a constant of 30 variables", constant, ((30,),)),
    Scenario("28 variables in two arguments", mixed_number, ((4,), (4, 6)), (0, 1)),
    Scenario("one entry of 30 variables", lambda x: smooth(x).reshape(1), ((30,),)),
    Scenario("two outputs of 30 variables", vector, ((30,),)),
)
"""Beyond the number of variables up to which a Hessian is one forward pass."""
