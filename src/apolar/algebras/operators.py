"""Differential operators with constant coefficients: exact polynomials in the symbols ∂x, ∂y, …

The top of the layers: nothing here knows about tensors. Coefficients are rational numbers; a Python float is taken
exactly, as the binary fraction that it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from math import isfinite
from numbers import Rational, Real
from typing import Any

from apolar.errors import CoordinateError, OperatorError

Monomial = tuple[int, ...]
"""The exponents of one product of symbols, in the order of the coordinates."""

Polynomial = Mapping[Monomial, Fraction]
"""Coefficients by monomial, without zeros."""


def exact(number: object) -> Fraction:
    """The rational number that ``number`` stands for.

    >>> exact(0.5), exact(3)
    (Fraction(1, 2), Fraction(3, 1))
    """
    if isinstance(number, Rational):
        return Fraction(int(number.numerator), int(number.denominator))
    if isinstance(number, Real) and isfinite(number):
        return Fraction(float(number))
    raise OperatorError(
        f"a coefficient of a differential operator must be a finite real number, got {number!r}. "
        "A coefficient that is a tensor stays outside: multiply the evaluated derivative by it."
    )


def differentiate(polynomial: Polynomial, symbol: int) -> dict[Monomial, Fraction]:
    """∂/∂ξⱼ of a polynomial in the symbols."""
    return {
        (*monomial[:symbol], power - 1, *monomial[symbol + 1 :]): power * coefficient
        for monomial, coefficient in polynomial.items()
        if (power := monomial[symbol])
    }


@dataclass(frozen=True)
class Coordinates:
    """The names of the coordinates, in the order of the last axis of the points.

    Made by :func:`coordinates`. Iterating gives the symbols ∂x, ∂y, …; ``c["x"]`` gives one by name.
    """

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.names:
            raise CoordinateError('a coordinate system needs at least one name: ap.coordinates("x y t")')
        for name in self.names:
            if not name.isidentifier():
                raise CoordinateError(f"{name!r} is not a name for a coordinate: use an identifier such as x or x1")
        if len(set(self.names)) < len(self.names):
            raise CoordinateError(f"coordinates must have different names, got {', '.join(self.names)}")

    def __reduce__(self) -> tuple[Any, ...]:
        return Coordinates, (self.names,)

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Operator]:
        return (self[name] for name in self.names)

    def __getitem__(self, name: str) -> Operator:
        return Operator({tuple(int(name == other) for other in self.names): Fraction(1)}, self._known(name))

    def _known(self, name: str) -> Coordinates:
        if name not in self.names:
            raise CoordinateError(f"there is no coordinate {name!r} among ({', '.join(self.names)})")
        return self

    @cached_property
    def one(self) -> Operator:
        """The identity operator, 1."""
        return Operator({(0,) * len(self): Fraction(1)}, self)

    @cached_property
    def gradient(self) -> tuple[Operator, ...]:
        """All first derivatives, in the order of the coordinates."""
        return tuple(self)

    @cached_property
    def laplacian(self) -> Operator:
        """The sum of the unmixed second derivatives."""
        return Operator({tuple(2 * (i == j) for i in range(len(self))): Fraction(1) for j in range(len(self))}, self)

    @cached_property
    def bilaplacian(self) -> Operator:
        """The Laplacian of the Laplacian."""
        return self.laplacian**2

    def __repr__(self) -> str:
        return f"({', '.join(self.names)})"


def coordinates(names: str | list[str] | tuple[str, ...]) -> Coordinates:
    """A coordinate system: names in the order of the last axis of the points.

    Args:
        names: separated by blanks or commas, or a sequence of names.

    Raises:
        CoordinateError: no name, two equal names, or a name that is not an identifier.

    >>> dx, dy, dt = coordinates("x y t")
    >>> dt - 0.1 * (dx**2 + dy**2)
    -0.1 ∂x² - 0.1 ∂y² + ∂t
    """
    if isinstance(names, str):
        names = names.replace(",", " ").split()
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise CoordinateError(f'names are a text such as "x y t" or a list of texts, got {names!r}')
    return Coordinates(tuple(names))


@dataclass(frozen=True, eq=False, repr=False)
class Operator:
    """A polynomial in the symbols of a coordinate system: ``+ - * **`` and numbers, ``==``, ``hash``.

    >>> dx, dy = coordinates("x y")
    >>> (dx + dy) ** 2 == dx**2 + 2 * dx * dy + dy**2
    True
    >>> (dx**2 + dy**2) ** 2
    ∂x⁴ + 2 ∂x²∂y² + ∂y⁴
    """

    terms: Polynomial
    coordinates: Coordinates
    _hash: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "terms", {m: c for m, c in self.terms.items() if c})
        object.__setattr__(self, "_hash", hash((frozenset(self.terms.items()), self.coordinates)))

    def __reduce__(self) -> tuple[Any, ...]:
        return Operator, (dict(self.terms), self.coordinates)

    @cached_property
    def order(self) -> int:
        """The highest number of derivatives in one term; 0 for a number."""
        return max(map(sum, self.terms), default=0)

    def __add__(self, other: Operator | float) -> Operator:
        terms = dict(self.terms)
        for monomial, coefficient in self._coerce(other).terms.items():
            terms[monomial] = terms.get(monomial, Fraction(0)) + coefficient
        return Operator(terms, self.coordinates)

    def __mul__(self, other: Operator | float) -> Operator:
        terms: dict[Monomial, Fraction] = {}
        for left, a in self.terms.items():
            for right, b in self._coerce(other).terms.items():
                monomial = tuple(i + j for i, j in zip(left, right, strict=True))
                terms[monomial] = terms.get(monomial, Fraction(0)) + a * b
        return Operator(terms, self.coordinates)

    def __pow__(self, exponent: int) -> Operator:
        if not isinstance(exponent, int) or exponent < 0:
            raise OperatorError(f"an operator can be raised to a power 0, 1, 2, …, not to {exponent!r}")
        result = self.coordinates.one
        for _ in range(exponent):
            result = result * self
        return result

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self) -> Operator:
        return self * -1

    def __sub__(self, other: Operator | float) -> Operator:
        return self + self._coerce(other) * -1

    def __rsub__(self, other: float) -> Operator:
        return -self + other

    def __truediv__(self, other: Operator | float) -> Operator:
        divisor = None if isinstance(other, Operator) else exact(other)
        if not divisor:
            raise OperatorError(f"an operator can be divided by a number that is not 0, not by {other!r}")
        return self._scaled(1 / divisor)

    def _scaled(self, factor: Fraction) -> Operator:
        return Operator({monomial: factor * c for monomial, c in self.terms.items()}, self.coordinates)

    def _coerce(self, other: object) -> Operator:
        if not isinstance(other, Operator):
            return Operator({(0,) * len(self.coordinates): exact(other)}, self.coordinates)
        if other.coordinates != self.coordinates:
            raise OperatorError(
                f"{self} lives in coordinates {self.coordinates}, {other} in {other.coordinates}: "
                "build both from one ap.coordinates(...)"
            )
        return other

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Operator):
            return NotImplemented
        return self.coordinates == other.coordinates and self.terms == other.terms

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return format_polynomial(self.terms, self.coordinates.names)


SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def format_polynomial(polynomial: Polynomial, names: tuple[str, ...]) -> str:
    """A polynomial as it is written: highest order first, then the coordinates in their order."""
    text = ""
    for monomial in sorted(polynomial, key=lambda m: (sum(m), m), reverse=True):
        coefficient = polynomial[monomial]
        sign = ("" if not text else " + ") if coefficient > 0 else ("-" if not text else " - ")
        text += sign + _format_term(abs(coefficient), monomial, names)
    return text or "0"


def _format_term(coefficient: Fraction, monomial: Monomial, names: tuple[str, ...]) -> str:
    symbols = "".join(
        f"∂{name}{str(power).translate(SUPERSCRIPTS) if power > 1 else ''}"
        for name, power in zip(names, monomial, strict=True)
        if power
    )
    if coefficient == 1:
        return symbols or "1"
    return f"{_format_number(coefficient)} {symbols}".rstrip()


def _format_number(number: Fraction) -> str:
    return str(number) if number.denominator < 1000 else repr(float(number))
