"""Derivatives of functions of one variable from mpmath, at 25 digits."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import mpmath

DIGITS = 25


@cache
def derivatives(function: Callable[[Any], Any], x: float, order: int) -> tuple[float, ...]:
    """f(x), f′(x), …, f⁽ᵒʳᵈᵉʳ⁾(x); mpmath takes central differences at a multiple of the working precision."""
    with mpmath.workdps(DIGITS):
        return tuple(float(mpmath.re(d)) for d in mpmath.diffs(function, mpmath.mpf(x), order))
