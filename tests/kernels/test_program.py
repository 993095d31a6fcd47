"""Recorded programs: every function that can be written down, shared steps, dropped steps, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from apolar.kernels.program import FUNCTIONS, OPERATIONS, UNARY, NotRecorded, Operand, Program, Recorder, program
from apolar.rules.elementwise import number_power

from .programs import WORDS, built, interpreted

special, NN = torch.special, torch._C._nn
CALLS: dict[str, list[Callable[..., Any]]] = {
    **{name: [getattr(torch, name)] for name in UNARY},
    "add": [lambda x: torch.add(x, x * x, alpha=-0.5), lambda x: 2 + x],
    "sub": [lambda x: torch.sub(x, x * 3, alpha=2), lambda x: 1 - x, lambda x: x - 0.25],
    "rsub": [lambda x: torch.rsub(x, x * x)],
    "mul": [lambda x: torch.mul(x, x + 1), lambda x: -1 * x, lambda x: x * 1],
    "div": [lambda x: torch.div(x, x + 3), lambda x: 1 / x, lambda x: x / 3],
    "addcmul": [lambda x: torch.addcmul(x, x, x + 1, value=0.5)],
    "neg": [torch.neg],
    "where": [
        lambda x: torch.where(x > 0, x, x * x), lambda x: torch.where((x >= -1) & (x < 1), x, -x),
        lambda x: torch.where(x <= 1, 2 * x, x * 5),
    ],
    "to": [lambda x: (x > 0.5).to(x.dtype) * 3],
    "conj": [torch.conj],
    "reciprocal": [torch.reciprocal],
    "rsqrt": [torch.rsqrt],
    "square": [torch.square],
    "pow": [lambda x, p=p: torch.pow(x, p) for p in (0, 1, 2, 3, 5, 8, -1, -3, 0.5, -0.5)],
    "number_power": [lambda x: number_power(x, 2), lambda x: number_power(x, -2)],
    "sigmoid": [torch.sigmoid],
    "expit": [special.expit],
    "sign": [torch.sign],
    "relu": [torch.relu],
    "leaky_relu": [NN.leaky_relu, lambda x: NN.leaky_relu(x, 0.3)],
    "silu": [NN.silu],
    "softplus": [F.softplus, lambda x: F.softplus(x, 2.0, 5.0)],
    "logsigmoid": [F.logsigmoid],
    "log_sigmoid": [lambda x: -F.logsigmoid(-x)],
    "mish": [NN.mish],
    "softsign": [torch.nn.functional.softsign],
    "tanhshrink": [torch.nn.functional.tanhshrink],
    "ndtr": [special.ndtr],
    "gelu": [F.gelu, lambda x: F.gelu(x, approximate="tanh")],
    "elu": [NN.elu, lambda x: NN.elu(x, 0.7)],
    "celu": [torch.celu, lambda x: torch.celu(x, 1.3)],
    "selu": [torch.selu],
}  # fmt: skip
"""Every name, called in the ways that it can be."""

INFINITE = [math.nan, math.inf, -math.inf]
FINITE = [
    0.0, -0.0, 1.0, -1.0, 0.5, -0.3, 2.7, -3.4, 1.2, 10.0, -10.0, 19.9, 20.1, -30.0, 88.0, -88.0, 120.0, -120.0, 700.0,
    -700.0, 1e-3, -1e-3, 1e-8, -1e-8, 1e-30, -1e-30, 1e-38, -1e-38, 1e-40, -1e-40, 1e8, -1e8, 1e30, -1e30,
]  # fmt: skip
LARGE = [1e-300, -1e-300, 1e-310, 1e150, -1e150, 1e300, -1e300]
EXACT = {torch.float32: 3e-7, torch.float64: 4e-16}


def everything() -> tuple[list[str], Program]:
    """One program with all functions of one input as its results."""
    x = Recorder().emit("input", "x", 0)
    names, results = [], []
    for name in CALLS:
        for k, call in enumerate(CALLS[name]):
            names.append(f"{name} {k}")
            results.append(call(x))
    output = Operand("y", tuple(range(len(results))))
    return names, program((Operand("x", (0,)),), [(output, results)])


def in_torch(dtype: torch.dtype, points: list[float]) -> list[Tensor]:
    x = torch.tensor(points, dtype=dtype)
    return [call(x).to(dtype) for name in CALLS for call in CALLS[name]]


def points(dtype: torch.dtype) -> list[float]:
    """Repeated, so that whole vectors and the remainder behind them see every value."""
    return 3 * (FINITE + INFINITE + (LARGE if dtype == torch.float64 else []))


def test_every_function_is_called_here() -> None:
    assert set(CALLS) == set(FUNCTIONS)


def test_every_operation_has_a_word_here() -> None:
    assert set(WORDS) == OPERATIONS - {"input"}


TAILS = ("ndtr", "gelu")
"""Functions whose Gaussian tail torch takes from 1 − 1."""


def wrong(name: str, x: Tensor, found: Tensor, expected: Tensor, epsilon: float) -> list[str]:
    """NaN where torch has it, and otherwise the same to rounding; at ±∞ NaN and the limit are both right."""
    failures = []
    for at, a, b in zip(x.tolist(), found.tolist(), expected.tolist(), strict=True):
        if math.isinf(at) and (math.isnan(a) or math.isnan(b)):
            fits = True
        elif math.isnan(b):
            fits = math.isnan(a)
        elif math.isinf(b) or math.isinf(a):
            fits = a == b
        else:
            steep = max(1.0, min(abs(at), 1e3))  # exponentials multiply the rounding of their argument
            size = steep * (abs(b) + name.startswith(TAILS))
            fits = abs(a - b) <= 12 * epsilon * size + 4 * torch.finfo(x.dtype).tiny
        if not fits:
            failures.append(f"{name}({at}) is {a}, not {b}")
    return failures


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_compiled_functions_agree_with_torch(dtype: torch.dtype) -> None:
    names, recorded = everything()
    at = points(dtype)
    x = torch.tensor(at, dtype=dtype)
    (run,) = built(recorded, dtype=dtype)
    (found,) = run(x.reshape(1, 1, -1))
    failures: list[str] = []
    for name, a, b in zip(names, found[:, 0], in_torch(dtype, at), strict=True):
        failures += wrong(name, x, a, b, EXACT[dtype])
    assert not failures, failures


def test_what_is_recorded_agrees_with_torch() -> None:
    names, recorded = everything()
    at = points(torch.float64)
    x = torch.tensor(at, dtype=torch.float64)
    (found,) = interpreted(recorded, x.reshape(1, 1, -1))
    failures: list[str] = []
    for name, a, b in zip(names, found[:, 0], in_torch(torch.float64, at), strict=True):
        failures += wrong(name, x, a, b, EXACT[torch.float64])
    assert not failures, failures


MPMATH: dict[str, Callable[[Any], Any]] = {
    **{name: getattr(mpmath, name) for name in UNARY if hasattr(mpmath, name)},
    "exp2": lambda x: mpmath.mpf(2) ** x,
    "log2": lambda x: mpmath.log(x, 2),
    "abs": abs,
    "lgamma": lambda x: mpmath.log(abs(mpmath.gamma(x))),
    "isfinite": lambda x: 1,
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_words_of_c_agree_with_mpmath(dtype: torch.dtype) -> None:
    """At points of many sizes, of both signs where the function has real values."""
    assert set(MPMATH) >= set(UNARY)
    x = Recorder().emit("input", "x", 0)
    results = [call(x) for name in UNARY for call in CALLS[name]]
    recorded = program((Operand("x", (0,)),), [(Operand("y", tuple(range(len(results)))), results)])
    at = torch.tensor([s * a for a in (1e-6, 0.013, 0.4, 0.87, 1.3, 2.9, 7.7, 31.0) for s in (1, -1)], dtype=dtype)
    (run,) = built(recorded, dtype=dtype)
    (found,) = run(at.reshape(1, 1, -1))
    for name, row in zip(UNARY, found[:, 0].tolist(), strict=True):
        for value, p in zip(row, at.tolist(), strict=True):
            with mpmath.workdps(40):
                try:
                    exact = MPMATH[name](mpmath.mpf(p))
                except ValueError:
                    exact = mpmath.nan
                if name == "lgamma" and p <= 0 and p == round(p):
                    assert value == math.inf
                    continue
                if isinstance(exact, mpmath.mpc) or mpmath.isnan(exact):
                    assert math.isnan(value), f"{name}({p}) is {value}, not NaN"
                    continue
                rounding = 16 * EXACT[dtype] * max(1.0, abs(p))
                near_root = rounding if name in ("lgamma", "tan", "sin", "cos") else 0.0
                allowed = rounding * abs(float(exact)) + near_root + 2 * torch.finfo(dtype).tiny
                assert abs(value - float(exact)) <= allowed, f"{name}({p}) is {value}, not {float(exact)}"


# -------------------------------------------------------------------------------------------------------------- steps


def test_what_is_said_twice_is_computed_once() -> None:
    recorder = Recorder()
    x, y = (recorder.emit("input", "x", k) for k in range(2))
    assert x * y is y * x
    assert torch.exp(x) is x.exp()
    assert torch.sigmoid(x) is special.expit(x)
    assert torch.addcmul(x, x, y, value=2) is x + x * y * 2
    assert x - y is not y - x


def test_numbers_that_change_nothing_cost_nothing() -> None:
    x = Recorder().emit("input", "x", 0)
    assert x + 0 is x
    assert 0 + x is x
    assert x - 0 is x
    assert x * 1 is x
    assert x / 1 is x
    assert torch.pow(x, 1) is x


def test_zero_times_infinity_stays_nan() -> None:
    x = Recorder().emit("input", "x", 0)
    recorded = program((Operand("x", (0,)),), [(Operand("y", (0,)), [x * 0])])
    (found,) = interpreted(recorded, torch.tensor([[[math.inf, math.nan, 1.0]]], dtype=torch.float64))
    assert found[0, 0].isnan().tolist() == [True, True, False]


def test_steps_that_nothing_needs_are_dropped() -> None:
    x = Recorder().emit("input", "x", 0)
    dead = torch.exp(x) * 3
    kept = torch.sin(x) + 1
    recorded = program((Operand("x", (0,)),), [(Operand("y", (0,)), [kept])])
    assert dead not in recorded.steps
    assert [s.operation for s in recorded.steps] == ["sin", "add"]


def test_steps_come_behind_their_arguments_and_once() -> None:
    _, recorded = everything()
    seen: set[Any] = set()
    for step in recorded.steps:
        assert step not in seen
        assert all(a in seen for a in step.arguments if a in recorded.steps)
        seen.add(step)


def test_a_deep_program_is_put_in_order() -> None:
    x = Recorder().emit("input", "x", 0)
    y = x
    for _ in range(5000):
        y = torch.sin(y) + x
    assert len(program((Operand("x", (0,)),), [(Operand("y", (0,)), [y])]).steps) == 10_000


def test_results_may_be_inputs_and_numbers() -> None:
    x = Recorder().emit("input", "x", 0)
    recorded = program((Operand("x", (0,)),), [(Operand("y", (0, 1)), [x, 2])])
    assert recorded.steps == ()
    given = torch.tensor([[[1.0, -2.0, 5.0]]], dtype=torch.float64)
    (run,) = built(recorded, dtype=torch.float64)
    (found,) = run(given)
    assert found.tolist() == [[[1.0, -2.0, 5.0]], [[2.0, 2.0, 2.0]]]


REFUSED: dict[str, Callable[[Any], Any]] = {
    "digamma": torch.digamma,
    "erfinv": torch.erfinv,
    "zeta": lambda x: special.zeta(2.0, x),
    "clamp": lambda x: torch.clamp(x, 0, 1),
    "x^2.7": lambda x: torch.pow(x, 2.7),
    "x^65": lambda x: torch.pow(x, 65),
    "x^-0.3": lambda x: torch.pow(x, -0.3),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_functions_are_refused(name: str) -> None:
    with pytest.raises(NotRecorded):
        REFUSED[name](Recorder().emit("input", "x", 0))
