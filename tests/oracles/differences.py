"""Derivatives of functions of one variable from forward differences of mpmath, with as many digits as it takes.

A difference of order k over the step h is off by the part h of the derivative's scale, and loses k·log h digits of the values:
both are paid for with more digits. Two runs with other steps and other digits must agree.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import mpmath

ATTEMPTS = ((20, 60), (27, 150), (45, 400), (80, 460), (120, 700))
"""Minus the decimal exponent of the step, and digits beyond those that the differences lose."""

AGREEMENT = mpmath.mpf("1e-15")
"""Of two runs, relative to the derivative times its condition."""

ZERO = mpmath.mpf("1e-330")
"""What is smaller underflows in every dtype."""


def derivatives(function: Callable[[Any], Any], x: float, order: int) -> list[Any]:
    """f(x), f′(x), …, f⁽ᵒʳᵈᵉʳ⁾(x) as mpmath numbers.

    Raises:
        ArithmeticError: no two runs agree.
    """
    before: list[Any] = []
    for step, digits in ATTEMPTS:
        found = _differences(function, x, order + 1, step, digits)
        if before and _agree(before, found, x):
            zero = ZERO if x else AGREEMENT * max(map(abs, found))
            return [d if abs(d) > zero else mpmath.mpf(0) for d in found[:-1]]
        before = found
    raise ArithmeticError(f"the differences at {x} do not agree: {[mpmath.nstr(d) for d in before]}")


def condition(x: float, derivative: Any, following: Any) -> Any:
    """|x φ⁽ᵏ⁺¹⁾/φ⁽ᵏ⁾|, and 1 where that is less: by how much an error of x comes back larger."""
    return max(mpmath.mpf(1), abs(x * following / derivative)) if derivative else mpmath.mpf(1)


def _differences(function: Callable[[Any], Any], x: float, order: int, step: int, digits: int) -> list[Any]:
    with mpmath.workdps(step * (order + 1) + digits):
        h = mpmath.mpf(10) ** -step * max(1, abs(mpmath.mpf(x)))
        row = [mpmath.re(function(x + j * h)) for j in range(order + 1)]
        found = []
        for k in range(order + 1):
            found.append(row[0] / h**k)
            row = [b - a for a, b in pairwise(row)]
        return found


def _agree(a: list[Any], b: list[Any], x: float) -> bool:
    everywhere = ZERO if x else AGREEMENT * max(map(abs, b))
    scales = [max(abs(d), abs(x * following)) for d, following in pairwise(b)]
    return all(abs(d - e) <= AGREEMENT * scale + everywhere for d, e, scale in zip(a, b, scales, strict=False))
