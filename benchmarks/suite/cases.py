"""The equations, each written once: ``ap.residual`` records it on fields, every peer runs it on the derivatives it found.

An equation takes its unknowns and returns what is squared in the loss, or a tuple of that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import apolar as ap


@dataclass(frozen=True)
class Derivative:
    """Of one unknown: partial derivatives along axes, or a power of the Laplacian."""

    unknown: int
    axes: tuple[int, ...] = ()
    laplacians: int = 0


@dataclass(frozen=True)
class Unknown:
    """An unknown, as an equation sees it that is run by a peer: ``read`` gives the numbers of a derivative."""

    read: Callable[[Derivative], Any]
    coordinates: tuple[str, ...]
    derivative: Derivative

    def __getattr__(self, name: str) -> Unknown:
        at = self.derivative
        powers = {"laplacian": 1, "bilaplacian": 2}.get(name)
        if powers:
            changed = Derivative(at.unknown, at.axes, at.laplacians + powers)
        elif set(name) <= set(self.coordinates):
            changed = Derivative(at.unknown, at.axes + tuple(map(self.coordinates.index, name)), at.laplacians)
        else:
            raise AttributeError(name)
        return Unknown(self.read, self.coordinates, changed)

    @property
    def numbers(self) -> Any:
        return self.read(self.derivative)

    def __mul__(self, other: Any) -> Any:
        return self.numbers * numbers(other)

    def __add__(self, other: Any) -> Any:
        return self.numbers + numbers(other)

    def __sub__(self, other: Any) -> Any:
        return self.numbers - numbers(other)

    def __rsub__(self, other: Any) -> Any:
        return other - self.numbers

    __rmul__, __radd__ = __mul__, __add__


def numbers(x: Any) -> Any:
    return x.numbers if isinstance(x, Unknown) else x


@dataclass(frozen=True)
class Case:
    """An equation in coordinates, for one unknown ``u`` or for several."""

    name: str
    coordinates: tuple[str, ...]
    equation: Callable[..., Any]
    unknowns: tuple[str, ...] = ("u",)

    @cached_property
    def residual(self) -> ap.Residual:
        return ap.residual(ap.coordinates(self.coordinates), self.unknowns)(self.equation)

    def run(self, read: Callable[[Derivative], Any]) -> tuple[Any, ...]:
        """The equation on numbers."""
        unknowns = [Unknown(read, self.coordinates, Derivative(j)) for j in range(len(self.unknowns))]
        found = self.equation(*unknowns)
        return tuple(map(numbers, found if isinstance(found, tuple) else (found,)))

    @cached_property
    def derivatives(self) -> tuple[Derivative, ...]:
        """What the equation reads."""
        seen: dict[Derivative, None] = {}
        self.run(lambda derivative: seen.setdefault(derivative) or 1.0)
        return tuple(seen)


def axes(d: int) -> tuple[str, ...]:
    return tuple("xyz"[:d]) if d <= 3 else tuple(f"x{i}" for i in range(d))


def laplacian(d: int) -> Case:
    return Case("Laplacian", axes(d), lambda u: u.laplacian)


def biharmonic(d: int) -> Case:
    return Case("biharmonic", axes(d), lambda u: u.bilaplacian)


def nth(n: int) -> Case:
    """The n-th derivative of a function of one variable."""
    return Case(f"derivative n={n}", ("x",), lambda u: getattr(u, "x" * n))


def navier_stokes_equations(u: Any, v: Any, p: Any) -> tuple[Any, ...]:
    return (
        u * u.x + v * u.y + p.x - 0.01 * u.laplacian,
        u * v.x + v * v.y + p.y - 0.01 * v.laplacian,
        u.x + v.y,
    )


HEAT = Case("heat", ("x", "y", "t"), lambda u: u.t - 0.1 * (u.xx + u.yy))
BURGERS = Case("Burgers", ("x", "t"), lambda u: u.t + u * u.x - 0.01 * u.xx)
KDV = Case("KdV", ("x", "t"), lambda u: u.t + 6 * (u * u.x) + u.xxx)
KURAMOTO_SIVASHINSKY = Case("Kuramoto–Sivashinsky", ("x", "t"), lambda u: u.t + u * u.x + u.xx + u.xxxx)
NAVIER_STOKES = Case("Navier–Stokes", ("x", "y"), navier_stokes_equations, ("u", "v", "p"))
TRIHARMONIC = Case("Δ³", ("x", "y"), lambda u: u.bilaplacian.laplacian)
SECOND_DERIVATIVES = Case("all second", ("x", "y", "z"), lambda u: (u.xx, u.xy, u.xz, u.yy, u.yz, u.zz))
