"""Quotients near points where numerator and denominator are 0: right, or an error, and no error where digits are left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath as mp
import pytest
import torch
from torch import Tensor

import apolar as ap
from tests.oracles.differences import derivatives

QUOTIENTS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Any], Any]]] = {
    "expm1(x)/x": (lambda x: torch.expm1(x) / x, lambda x: mp.expm1(x) / x),
    "sin(x)/x": (lambda x: torch.sin(x) / x, lambda x: mp.sin(x) / x),
    "(1 - cos x)/x²": (lambda x: (1 - torch.cos(x)) / x**2, lambda x: (1 - mp.cos(x)) / x**2),
    "log1p(x)/x": (lambda x: torch.log1p(x) / x, lambda x: mp.log1p(x) / x),
    "(exp(x) - 1 - x)/x²": (lambda x: (torch.exp(x) - 1 - x) / x**2, lambda x: (mp.exp(x) - 1 - x) / x**2),
    "tan(x)/x": (lambda x: torch.tan(x) / x, lambda x: mp.tan(x) / x),
    "exp(x)/x": (lambda x: torch.exp(x) / x, lambda x: mp.exp(x) / x),
}
POINTS = (1e-9, 1e-6, 1e-4, 1e-3, 0.013, 0.1, 0.4, 1.0, 3.0)
ORDER = 8
KEEPS = 0.3
"""What is not refused is off by less than this part of itself."""


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", QUOTIENTS)
def test_right_or_refused(name: str, dtype: torch.dtype) -> None:
    function, formula = QUOTIENTS[name]
    info = torch.finfo(dtype)
    for point in POINTS:
        x = torch.tensor(point, dtype=dtype)
        exact = derivatives(formula, float(x), ORDER)
        if abs(float(function(x)) - exact[0]) > KEEPS * abs(exact[0]):
            continue  # torch's own value has no digit
        for k in range(1, ORDER + 1):
            # A pass of order 1 cannot know from where a numerator with a double zero comes: its second derivative says it.
            if abs(exact[k]) > info.max / 1e3 or (k == 1 and "x²" in name):
                continue
            try:
                found = float(ap.derivative(function, k)(x))
            except ap.PrecisionError:
                assert point <= 1, f"order {k} at {point} is refused for nothing"
                assert name != "exp(x)/x", f"order {k} at {point} is refused for nothing"
                continue
            scale = max(abs(exact[k]), info.eps * ORDER * abs(exact[0]) / point**k * (name == "exp(x)/x"))
            assert not abs(found - exact[k]) > KEEPS * scale, f"order {k} at {point}: {found}, exact {exact[k]}"


def test_the_message_says_what_to_do() -> None:
    with pytest.raises(
        ap.PrecisionError, match=r"order 6 and more: it is 0.0131 over 0.013.*test_quotients.*torch.sinc"
    ):
        ap.taylor(QUOTIENTS["expm1(x)/x"][0], 8)(torch.tensor(0.013, dtype=torch.float64))


def test_every_transform_refuses() -> None:
    dx, dy = ap.coordinates("x y")
    points = torch.tensor([[0.5, 0.2], [1e-4, 0.3]])

    def f(p: Tensor) -> Tensor:
        return p[..., 1] * (1 - torch.cos(p[..., 0])) / p[..., 0] ** 2

    for call in (
        lambda: ap.evaluate(f, points, dx**2 + dy**2),
        lambda: ap.hessian(f)(points[1]),
        lambda: ap.laplacian(f)(points),
    ):
        with pytest.raises(ap.PrecisionError):
            call()
    assert torch.isfinite(ap.evaluate(f, points[:1], dx**2 + dy**2)).all()


def test_a_branch_that_is_not_taken_loses_nothing() -> None:
    def f(x: Tensor) -> Tensor:
        return torch.where(x.abs() < 0.1, 1 - x**2 / 6 + x**4 / 120, torch.sin(x) / x)

    found = ap.taylor(f, 4)(torch.tensor([1e-4, 1.0]))
    assert torch.allclose(found[4][0], torch.tensor(0.2))
    assert torch.isfinite(torch.stack(found)).all()


@pytest.mark.parametrize("order", [1, 2, 4])
def test_quotients_with_digits_are_never_refused(order: int) -> None:
    x = torch.linspace(0.05, 3, 200, dtype=torch.float64)
    for function in (
        lambda x: x**3 / x,
        lambda x: (2 * x) / x,
        lambda x: x / (x + 1e-8),
        lambda x: torch.sin(x) / x**2,
    ):
        assert torch.isfinite(ap.derivative(function, order)(x)).all()
