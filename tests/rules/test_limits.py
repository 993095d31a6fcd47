# One case is one line, however long.
# fmt: off
# ruff: noqa: E501
"""Derivatives of order 0, 1, 2 where functions become infinite, where a value is NaN, and where torch has a convention."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan, pi

import pytest
import torch
from torch import Tensor, tensor

import apolar as ap

NAN, ZERO = tensor(nan), tensor(0.0).double()


def masked(x: Tensor) -> Tensor:
    """The last of the partial sums of e^−∞ + e^−∞ + eˣ."""
    return torch.logcumsumexp(torch.stack([x - inf, x - inf, x]), 0)[-1]


LIMITS: dict[str, tuple[Callable[[Tensor], Tensor], float, tuple[float, float, float]]] = {
    "xlogy(x, x) is steep": (lambda x: torch.xlogy(x, x), 0.0, (0, -inf, nan)),
    "xlogy(x², x) is not": (lambda x: torch.xlogy(x * x, x), 0.0, (0, 0, nan)),
    "xlogy(x, 0) counts as 0": (lambda x: torch.xlogy(x, ZERO), 0.0, (0, 0, 0)),
    "xlogy(0, x) is 0": (lambda x: torch.xlogy(ZERO, x), 0.0, (0, 0, 0)),
    "xlogy(x, inf)": (lambda x: torch.xlogy(x, inf), 0.0, (0, inf, nan)),
    "xlog1py(x, -1) counts as 0": (lambda x: torch.special.xlog1py(x, -1.0), 0.0, (0, 0, 0)),
    "entr(x)": (torch.special.entr, 0.0, (0, inf, nan)),
    "entr(x²)": (lambda x: torch.special.entr(x * x), 0.0, (0, 0, nan)),
    "entr of negative numbers": (torch.special.entr, -1.0, (-inf, nan, nan)),
    "x ** x": (lambda x: x**x, 0.0, (1, 0, nan)),
    "x ** (x + 1)": (lambda x: x ** (x + 1), 0.0, (0, 1, nan)),
    "x ** (x + 1/2)": (lambda x: x ** (x + 0.5), 0.0, (0, inf, nan)),
    "x ** y where only x moves": (lambda x: x ** (0 * x + 3), -1.0, (-1, 3, -6)),
    "0 ** x": (lambda x: ZERO**x, 2.0, (0, 0, 0)),
    "0x ** x": (lambda x: (0 * x) ** x, 2.0, (0, 0, 0)),
    "negative numbers ** x": (lambda x: tensor(-2.0).double() ** x, 2.0, (4, nan, nan)),
    "maximum with NaN": (lambda x: torch.maximum(x, NAN), 1.0, (nan, nan, nan)),
    "minimum with NaN": (lambda x: torch.minimum(NAN, x), 1.0, (nan, nan, nan)),
    "fmax with NaN": (lambda x: torch.fmax(x * x, NAN), 3.0, (9, 6, 2)),
    "maximum with inf": (lambda x: torch.maximum(x, tensor(inf)), 3.0, (inf, 0, 0)),
    "maximum of equal ones": (lambda x: torch.maximum(x, 1 + 0 * x), 1.0, (1, 0.5)),
    "hypot(x, x)": (lambda x: torch.hypot(x, x), 0.0, (0, nan)),
    "hypot of large numbers": (lambda x: torch.hypot(3 * x, 4 * x), 1e300, (5e300, 5, 0)),
    "hypot of small numbers": (lambda x: torch.hypot(x, 1e-300 + 0 * x), 0.0, (1e-300, 0, 1e300)),
    "logsumexp of nothing but e^−∞": (lambda x: torch.logsumexp(torch.stack([x - inf, x - inf]), 0), 1.0, (-inf, 0, 0)),
    "logaddexp with e^−∞": (lambda x: torch.logaddexp(2 * x, x - inf), 1.0, (2, 2, 0)),
    "logcumsumexp behind e^−∞": (masked, 1.0, (1, 1, 0)),
    "log_softmax far from 0": (lambda x: torch.log_softmax(torch.stack([1e9 + x, 1e9 + 0 * x]), 0)[0], 0.0, (-0.6931471805599453, 0.5, -0.25)),
    "_safe_softmax of nothing but e^−∞": (lambda x: torch._safe_softmax(torch.stack([x - inf, x - inf]), 0)[0], 1.0, (0, 0, 0)),
    "frexp": (lambda x: torch.frexp(x * x)[0], 3.0, (9 / 16, 6 / 16, 2 / 16)),
    "nextafter where both are equal": (lambda x: torch.nextafter(x, tensor(1.0).double()), 1.0, (1, 0, 0)),
    "sinc": (torch.sinc, 0.0, (1, 0, -pi * pi / 3)),
    "i1": (torch.special.i1, 0.0, (0, 0.5, 0)),
    "polar with a negative modulus": (lambda x: torch.polar(x, 0 * x).real, -2.0, (-2, 1, 0)),
}


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("recorded", [False, True])
def test_limit(name: str, recorded: bool) -> None:
    function, at, expected = LIMITS[name]
    found = ap.taylor(function, order=len(expected) - 1)(tensor(at, dtype=torch.float64, requires_grad=recorded))
    exact = tensor(expected, dtype=torch.float64)
    assert torch.allclose(torch.stack(found), exact, rtol=1e-12, atol=1e-310, equal_nan=True), torch.stack(found)


def test_what_ties_in_scatter_reduce_shares_evenly() -> None:
    def largest(x: Tensor) -> Tensor:
        return x[:2].scatter_reduce(0, tensor([0, 0, 1]), x[2:], "amax")

    x = tensor([1.0, 0.0, 1.0, 1.0, 2.0], dtype=torch.float64)
    assert torch.equal(ap.jacobian(largest)(x), torch.autograd.functional.jacobian(largest, x))
    assert ap.jacobian(largest)(x)[0].tolist() == [1 / 3, 0, 1 / 3, 1 / 3, 0]


def test_the_row_of_the_padding_is_fixed() -> None:
    def rows(weight: Tensor) -> Tensor:
        return torch.nn.functional.embedding(tensor([0, 1, 1]), weight, padding_idx=1)

    weight = torch.ones(2, 1, dtype=torch.float64)
    assert torch.equal(ap.jacobian(rows)(weight), torch.autograd.functional.jacobian(rows, weight))


@pytest.mark.parametrize("like", [torch.zeros_like, torch.ones_like, lambda x: x.new_zeros(3), torch.rand_like])
def test_constants_may_be_made_while_gradients_are_off(like: Callable[[Tensor], Tensor]) -> None:
    def f(x: Tensor) -> Tensor:
        with torch.no_grad():
            c = like(x)
        return x * x + 0 * c

    assert ap.jacobian(f)(torch.ones(3)).diagonal().tolist() == [2, 2, 2]
