"""Dtypes of jets with constants of every kind: as torch promotes them, and never of lower precision."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import apolar as ap
from apolar.engine.jet import Jet
from apolar.errors import UnsupportedOperator
from apolar.evaluation.seeds import lift

dx, _ = ap.coordinates("x y")

ROUNDINGS = 4
"""Of half precision that a formula may take, in units of the last place: processors round between its steps, or at the end."""

X = torch.tensor([[0.7, 1.2], [1.4, 0.65], [0.9, 1.1]])
LIKE_X = X.flip(0) + 0.45
CONSTANTS: dict[str, Any] = {
    "float16": LIKE_X.half(),
    "bfloat16": LIKE_X.bfloat16(),
    "float32": LIKE_X,
    "float64": LIKE_X.double(),
    "complex64": LIKE_X + 1j,
    "complex128": LIKE_X.double() + 1j,
    "uint8": torch.tensor([[1, 2], [3, 1], [2, 2]], dtype=torch.uint8),
    "int64": torch.tensor([[1, 2], [3, 1], [2, 2]]),
    "bool": torch.tensor([[True, False], [True, True], [False, True]]),
    "0-d float64": torch.tensor(2.5, dtype=torch.float64),
    "0-d int64": torch.tensor(2),
    "0-d complex128": torch.tensor(1 + 2j, dtype=torch.complex128),
    "Python int": 3,
    "Python float": 2.5,
    "Python bool": True,
    "Python complex": 1 + 2j,
    "NumPy float": np.float64(2.5),
}
OPERATIONS: dict[str, Callable[[Any, Any], Tensor]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
    "//": operator.floordiv,
    "%": operator.mod,
    "+=": lambda a, b: operator.iadd(a * 1, b),
    "*=": lambda a, b: operator.imul(a * 1, b),
    "add alpha": lambda a, b: torch.add(a, b, alpha=2),
    "rsub": torch.rsub,
    "maximum": torch.maximum,
    "clamp": lambda a, b: torch.clamp(a, b),
    "where": lambda a, b: torch.where(torch.tensor([[True, False]]), a, b),
    "cat": lambda a, b: torch.cat([a, b]),
    "stack": lambda a, b: torch.stack([a, b]),
    "atan2": torch.atan2,
    "hypot": torch.hypot,
    "addcmul": lambda a, b: torch.addcmul(a, b, b, value=2),
    "addcdiv": lambda a, b: torch.addcdiv(a, b, b),
    "xlogy": torch.xlogy,
    "float_power": torch.float_power,
    "mse_loss": lambda a, b: F.mse_loss(*torch.broadcast_tensors(a, b), reduction="none"),
    "masked_fill": lambda a, b: a.masked_fill(torch.tensor([[True, False]]), b),
    "matmul": lambda a, b: a @ b.transpose(0, 1),
    "set item": lambda a, b: (y := a * 1, y.__setitem__(0, b[0]))[0],
    "copy_": lambda a, b: (a * 1).copy_(b),
    "sum dtype": lambda a, b: a.sum(dtype=b.dtype),
    "to": lambda a, b: a.to(b.dtype),
    "type_as": lambda a, b: a.type_as(b),
}


def works(function: Callable[[], Any]) -> bool:
    """Whether plain torch takes the operands."""
    try:
        function()
    except (RuntimeError, TypeError, ValueError, IndexError, AttributeError):
        return False
    return True


def both_ways(name: str) -> list[Callable[[Any, Any], Tensor]]:
    of = OPERATIONS[name]
    return [of, lambda a, b: of(b, a)] if name not in ("+=", "*=", "set item", "copy_") else [of]


def in_double(c: Any) -> Any:
    """The constant, exactly, as a tensor of double precision; numbers stay what they are."""
    return c.to(torch.complex128 if c.is_complex() else torch.float64) if isinstance(c, Tensor) else c


@pytest.mark.filterwarnings("ignore:Casting complex values to real")
@pytest.mark.parametrize("constant", CONSTANTS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_dtypes_are_those_of_torch(name: str, constant: str) -> None:
    """Value and dtype are as on plain tensors; the slope is that in double precision."""
    c = CONSTANTS[constant]
    for of in both_ways(name):
        if not works(lambda of=of: of(X, c)):
            continue
        expected = of(X, c)
        found = of(lift(ap.algebra(dx), X, [LIKE_X, None]), c)
        assert found.dtype == expected.dtype
        precision = torch.finfo(expected.dtype).eps if expected.is_floating_point() or expected.is_complex() else 0.0
        allowed = max(ROUNDINGS * precision, 1e-5)  # no difference quotient is better than that
        close = functools.partial(torch.allclose, rtol=allowed, atol=allowed, equal_nan=True)
        value, slope = found.components if isinstance(found, Jet) else (found, torch.zeros(found.shape))
        assert value.dtype == expected.dtype
        assert close(value, expected)
        if expected.is_floating_point() or expected.is_complex():
            above, below = (of(X.double() + h * LIKE_X.double(), in_double(c)) for h in (1e-6, -1e-6))
            quotient = (above - below) / 2e-6
            finite = quotient.isfinite()  # x / False is not
            assert close(slope.to(above.dtype)[finite], quotient[finite])


def test_a_complex_result_does_not_fit_into_a_real_tensor() -> None:
    for change in (lambda y: y.mul_(1j), lambda y: y.__iadd__(1j * X)):
        with pytest.raises(UnsupportedOperator, match=r"complex64 does not fit into torch\.float32"):
            ap.evaluate(lambda p, change=change: change(p * 1), X, dx)


@pytest.mark.parametrize("default", [torch.float32, torch.float64], ids=str)
def test_the_default_dtype_does_not_leak_into_results(default: torch.dtype) -> None:
    torch.set_default_dtype(default)
    try:
        for f in (torch.maximum, torch.fmin, torch.copysign, torch.xlogy, torch.pow):
            assert ap.evaluate(lambda p, f=f: f(p, p.flip(-1)), X, dx).dtype == X.dtype
    finally:
        torch.set_default_dtype(torch.float32)
