"""Univariate power series whose coefficients are computed when they are asked for, each once.

A rule says how a function's derivative goes on, φ′ = d(φ, x). Read as an equation between power series it is a recurrence,
(k+1) φₖ₊₁ = Σ dᵢ (k+1−i) zₖ₊₁₋ᵢ for φ(z(s)), and lazy coefficients solve it: dₖ needs φ only up to φₖ.
Source: McIlroy, Power series, power serious, 1999; Griewank and Walther, Evaluating derivatives, chapter 13.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import torch

Value = Any
"""A coefficient: a tensor, a Python number where it is the same everywhere, or a number times a tensor."""


@dataclass(frozen=True, eq=False)
class Elementwise:
    """How a function of one tensor, entry by entry, is differentiated.

    Args:
        function: evaluates φ.
        derivative: φ′ = derivative(φ, x, *parameters), in terms of series; or
        formula: φ = formula(x, *parameters), in terms of functions that have a rule.
    """

    function: Callable[..., torch.Tensor]
    derivative: Callable[..., Any] | None = None
    formula: Callable[..., Any] | None = None

    def __call__(self, z: Series, *parameters: Any, **options: Any) -> Series:
        """The series of φ(z), with that of φ′(z) as its slope where there is an equation."""
        key = (self.function, *map(id, parameters), *sorted((name, id(value)) for name, value in options.items()))
        if key not in z.functions:
            z.functions[key] = self._series(z, parameters, options), parameters, options
        return z.functions[key][0]

    def taylor(self, x: torch.Tensor, order: int, *parameters: Any, **options: Any) -> list[Value]:
        """φ(x), φ′(x), φ″(x)/2!, … up to the order."""
        y = self(variable(x), *parameters, **options)
        value = y[0] if self.derivative else self.function(x, *parameters, **options)
        return [value, *(y[k] for k in range(1, order + 1))]

    def _series(self, z: Series, parameters: tuple[Any, ...], options: dict[str, Any]) -> Series:
        if self.formula is not None:
            return constant(self.formula(z, *parameters, **options))

        def slope(_: Series, k: int) -> Value:
            if not slopes:
                slopes.append(constant(self.derivative(y, z, *parameters, **options)))  # type: ignore[misc]
            return slopes[0][k]

        def coefficient(_: Series, k: int) -> Value:
            if k == 0:
                return self.function(dense(z[0]), *parameters, **options)
            first = 0 if z.degree is None else max(0, k - z.degree)
            total = times(1 / k, convolved(d, velocity, k - 1, first))
            return total if k - first == 1 else dense(total)

        slopes: list[Series] = []
        velocity = Series(lambda _, k: dense(times(k + 1, z[k + 1])), rows=z.rows)
        y, d = Series(coefficient, rows=z.rows), Series(slope, rows=z.rows)
        y.slope = d
        return y


@dataclass(frozen=True, eq=False)
class Expansion:
    """The Taylor coefficients of a function with its parameters. Made by :func:`expansion`.

    Attributes:
        kinks: where it has no derivatives of order two and higher.
    """

    entry: Elementwise
    parameters: tuple[Any, ...] = ()
    options: tuple[tuple[str, Any], ...] = ()
    kinks: tuple[float, ...] = ()

    def __call__(self, x: Any, order: int) -> list[Value]:
        return self.entry.taylor(x, order, *self.parameters, **dict(self.options))

    def of(self, z: Series) -> Series:
        """φ(z)."""
        return self.entry(z, *self.parameters, **dict(self.options))


def expansion(
    entry: Elementwise,
    parameters: tuple[Any, ...] = (),
    options: tuple[tuple[str, Any], ...] = (),
    kinks: tuple[float, ...] = (),
) -> Expansion:
    """The same one for the same function and parameters; numbers of different types, as 3 and 3.0, are not the same."""
    kinds = tuple([type(p) for p in parameters]) if parameters else ()
    return _expansion(entry, parameters, options, kinks, kinds)


@lru_cache(maxsize=4096, typed=True)
def _expansion(entry: Elementwise, parameters: Any, options: Any, kinks: Any, kinds: Any) -> Expansion:
    return Expansion(entry, parameters, options, kinks)


FUNCTIONS: dict[Any, Callable[..., Series]] = {}
"""What a torch function does to a series. Filled by the tables in rules/elementwise.py."""


class Series:
    """A power series Σ cₖ sᵏ; ``series[k]`` is cₖ, and 0 beyond the degree where there is one.

    Attributes:
        rows: where coefficients may be kept in one tensor, as they are small and nobody records: one of that shape.
        slope: of a composition φ(z), the series of φ′(z), where it is known.
        functions: the compositions with this series, each made once.
    """

    slope: Series | None = None

    def __init__(
        self, coefficient: Callable[[Series, int], Value], degree: int | None = None, rows: torch.Tensor | None = None
    ) -> None:
        self._coefficient, self.degree, self.rows = coefficient, degree, rows
        self._known: list[Value] = []
        self._stacked: torch.Tensor | None = None
        self._filled = 0
        self.functions: dict[Any, Any] = {}

    def __getitem__(self, k: int) -> Value:
        while len(self._known) <= k:
            self._known.append(self._coefficient(self, len(self._known)))
        return self._known[k]

    def stacked(self, first: int, stop: int) -> torch.Tensor:
        """cₖ for first ≤ k < stop, in rows."""
        if self._stacked is None:
            assert self.rows is not None
            self._stacked = torch.empty_like(self.rows)
        for k in range(self._filled, stop):
            self._stacked[k] = dense(self[k])
        self._filled = max(self._filled, stop)
        return self._stacked[first:stop]

    @property
    def value(self) -> torch.Tensor:
        """c₀ as a tensor."""
        return dense(self[0])

    def __add__(self, other: Any) -> Series:
        other = constant(other)
        return Series(lambda _, k: plus(self[k], other[k]), rows=_rows(self, other))

    def __neg__(self) -> Series:
        return self * -1

    def __sub__(self, other: Any) -> Series:
        return self + (-constant(other))

    def __rsub__(self, other: Any) -> Series:
        return -self + other

    def __mul__(self, other: Any) -> Series:
        if not isinstance(other, Series):
            return Series(lambda _, k: times(self[k], other), rows=self.rows)
        if other is self:
            return Series(lambda _, k: _square(self, k), rows=self.rows)
        return Series(lambda _, k: convolved(self, other, k), rows=_rows(self, other))

    def __truediv__(self, other: Any) -> Series:
        if not isinstance(other, Series):
            return self * (1 / other)
        return self * other**-1

    def __rtruediv__(self, other: Any) -> Series:
        return self**-1 * other

    def __pow__(self, exponent: float) -> Series:
        return FUNCTIONS[torch.pow](self, exponent)

    __radd__ = __add__
    __rmul__ = __mul__

    def __gt__(self, other: Any) -> torch.Tensor:
        return self.value > other

    def __ge__(self, other: Any) -> torch.Tensor:
        return self.value >= other

    def __lt__(self, other: Any) -> torch.Tensor:
        return self.value < other

    def __le__(self, other: Any) -> torch.Tensor:
        return self.value <= other

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return FUNCTIONS[func](*args, **(kwargs or {}))


def variable(x: torch.Tensor) -> Series:
    """x + s."""
    return Series(lambda _, k: x if k == 0 else int(k == 1), degree=1)


def polynomial(coefficients: Sequence[Value], rows: torch.Tensor | None = None) -> Series:
    """c₀ + c₁ s + …, cut off behind the last one: later coefficients are unknown and never asked for."""
    degree = max((k for k, c in enumerate(coefficients) if not (type(c) in NUMBERS and c == 0)), default=0)
    return Series(lambda _, k: coefficients[k], degree, rows)


def constant(c: Any) -> Series:
    """c itself, as a series; a series stays what it is."""
    return c if isinstance(c, Series) else Series(lambda _, k: c if k == 0 else 0, degree=0)


def where(condition: torch.Tensor, x: Any, y: Any) -> Series:
    """The series of the branch that the condition selects."""
    x, y = constant(x), constant(y)

    def coefficient(_: Series, k: int) -> Value:
        a, b = dense(x[k]), dense(y[k])
        if not isinstance(a, torch.Tensor) and not isinstance(b, torch.Tensor):
            if a == b:
                return a
            like = next(c for c in (dense(x[0]), dense(y[0])) if type(c) not in NUMBERS)
            if isinstance(like, torch.Tensor):
                a = torch.full((), a, dtype=like.dtype, device=like.device)
        return torch.where(condition, a, b)

    return Series(coefficient, rows=_rows(x, y))


def starting(value: Value, rest: Series) -> Series:
    """c₀ is the value, the other coefficients are those of ``rest``: where the c₀ of its formula has too few digits."""
    return Series(lambda _, k: rest[k] if k else value, rows=rest.rows)


def _rows(a: Series, b: Series) -> torch.Tensor | None:
    return b.rows if a.rows is None else a.rows


NUMBERS = frozenset({int, float, complex, bool})
"""The types of coefficients that are the same everywhere; isinstance of tensors is slow where the answer is no."""


class Scaled(NamedTuple):
    """number · tensor, kept apart so that a chain of numbers costs nothing."""

    number: float
    tensor: torch.Tensor


def split(a: Value) -> tuple[float, torch.Tensor | None]:
    """The number and the tensor whose product a coefficient is; no tensor where it is a number."""
    if type(a) is Scaled:
        return a
    return (a, None) if type(a) in NUMBERS else (1, a)


def join(number: float, tensor: torch.Tensor | None) -> Value:
    """The coefficient number · tensor."""
    if tensor is None or number == 0:
        return number
    return tensor if number == 1 else Scaled(number, tensor)


def dense(a: Value) -> Any:
    """A coefficient as a tensor, or a number where it has none."""
    return a.tensor * a.number if isinstance(a, Scaled) else a


def plus(a: Value, b: Value) -> Value:
    """a + b; the number 0 costs nothing, and signs and factors are folded into the sum."""
    (p, x), (q, y) = split(a), split(b)
    if p == 0:
        return b
    if q == 0:
        return a
    if x is None or y is None:
        (number, tensor), shift = ((p, x), q) if y is None else ((q, y), p)
        return shift - tensor if tensor is not None and number == -1 else dense(a) + dense(b)
    return join(p, torch.add(x, y, alpha=q / p))


def times(a: Value, b: Value) -> Value:
    """a · b; numbers are collected."""
    (p, x), (q, y) = split(a), split(b)
    return join(p * q, y if x is None else x if y is None or p * q == 0 else x * y)


def inner(pairs: Sequence[tuple[Value, Value]]) -> Value:
    """Σ a·b."""
    total: Value = 0
    for a, b in pairs:
        total = plus_product(total, a, b)
    return total


def plus_product(total: Value, a: Value, b: Value) -> Value:
    """total + a·b, in one pass where all three are tensors."""
    (t, z), (p, x), (q, y) = split(total), split(a), split(b)
    if z is None or x is None or y is None or p * q == 0:
        return plus(total, times(a, b))
    return join(t, torch.addcmul(z, x, y, value=p * q / t))


def convolved(a: Series, b: Series, k: int, first: int = 0) -> Value:
    """Coefficient k of a·b, Σ aᵢ bₖ₋ᵢ over the i from the first on."""
    if a.rows is not None and b.rows is not None and k > first:
        return (a.stacked(first, k + 1) * b.stacked(0, k - first + 1).flip(0)).sum(0)
    return inner([(a[i], b[k - i]) for i in range(first, k + 1)])


def _square(a: Series, k: int) -> Value:
    """Coefficient k of a·a: the pairs (i, k−i) and (k−i, i) counted once."""
    if a.rows is not None:
        return convolved(a, a, k)
    twice = times(2, inner([(a[i], a[k - i]) for i in range((k + 1) // 2)]))
    return twice if k % 2 else plus_product(twice, a[k // 2], a[k // 2])
