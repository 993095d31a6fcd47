"""Programs as C++: the same numbers as torch functions, for every rule, shape and number of threads."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import mpmath
import pytest
import torch
from torch import Tensor

import apolar as ap
from apolar.kernels import cpp
from apolar.kernels.composition import Composition
from apolar.kernels.program import OPERATIONS, Operand, Recorder, program
from tests.oracles import series as oracle

from .programs import ALGEBRAS, FORMS, RULES, Recorded, Run, agree, built, composition, dx, operands

EPSILON = {torch.float32: 3e-5, torch.float64: 1e-12}
"""Relative to the largest entry: of a chain of some ten operations, with cancellation in it."""

each_dtype = pytest.mark.parametrize("dtype", EPSILON, ids=str)


def named(name: str) -> Recorded:
    return next(rule for rule in RULES if rule.name == name)


@cache
def passes(name: str, form: str, dtype: torch.dtype) -> dict[str, tuple[Composition, Run, Run]]:
    """The forward and the backward pass of every rule over one algebra, in one library."""
    wholes = {str(rule): composition(rule, ALGEBRAS[name], form) for rule in RULES}
    return compiled(wholes, dtype)


@cache
def passes_of_tanh(dtype: torch.dtype) -> dict[tuple[str, str], tuple[Composition, Run, Run]]:
    """The same of one function over every algebra, in every form."""
    rule = named("tanh")
    return compiled(
        {(name, form): composition(rule, ALGEBRAS[name], form) for name in ALGEBRAS for form in FORMS}, dtype
    )


def compiled(wholes: dict[Any, Composition], dtype: torch.dtype) -> dict[Any, tuple[Composition, Run, Run]]:
    programs = [program for whole in wholes.values() for program in (whole.forward(), whole.backward())]
    runs = iter(built(*programs, dtype=dtype))
    return {key: (whole, next(runs), next(runs)) for key, whole in wholes.items()}


def check(
    rule: Recorded, of: tuple[Composition, Run, Run], dtype: torch.dtype, rows: int, columns: int, parts: int = 1
) -> None:
    """The compiled passes against the torch functions, which compute in double precision from the same numbers."""
    whole, forward, backward = of
    *g, w = operands(rule, whole, rows, columns, dtype=dtype)
    exact = [x.double() for x in g]
    (found,) = forward(*g, parts=parts)
    agree(found, whole(*exact), EPSILON[dtype])
    for a, b in zip(backward(*g, w, parts=parts), whole.pull_back(*exact, w.double()), strict=True):
        agree(a.reshape(b.shape), b, EPSILON[dtype])


def test_every_operation_has_a_word() -> None:
    assert set(cpp.WORDS) == OPERATIONS - {"input"}


@each_dtype
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_every_rule(rule: Recorded, dtype: torch.dtype) -> None:
    check(rule, passes("Laplacian", "stacked", dtype)[str(rule)], dtype, 5, 7)


@each_dtype
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ALGEBRAS)
def test_every_algebra_and_form(name: str, form: str, dtype: torch.dtype) -> None:
    check(named("tanh"), passes_of_tanh(dtype)[name, form], dtype, 6, 5)


@pytest.mark.parametrize("parts", [1, 2, 3])
@pytest.mark.parametrize("form", ["stacked", "uniform and wanted"])
@pytest.mark.parametrize("columns", [1, 2, 3, 8, 17, 64, 65])
@pytest.mark.parametrize("rows", [0, 1, 2, 31])
@each_dtype
def test_every_shape(rows: int, columns: int, form: str, parts: int, dtype: torch.dtype) -> None:
    check(named("tanh"), passes_of_tanh(dtype)["Laplacian", form], dtype, rows, columns, parts)


def test_results_do_not_depend_on_the_threads() -> None:
    rule = named("tanh")
    whole, forward, backward = passes_of_tanh(torch.float64)["Laplacian", "stacked"]
    *g, w = operands(rule, whole, 501, 33)
    for run, tensors in ((forward, g), (backward, [*g, w])):
        (one,), (two,) = run(*tensors), run(*tensors, parts=2)
        agree(two, one, 1e-14)


EXACT: dict[str, Callable[[object], object]] = {
    "tanh": mpmath.tanh,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "gelu": lambda x: x * mpmath.ncdf(x),
    "softsign": lambda x: x / (1 + abs(x)),
    "tanhshrink": lambda x: x - mpmath.tanh(x),
    "mish": lambda x: x * mpmath.tanh(mpmath.log1p(mpmath.exp(x))),
    "number_power 2.5": lambda x: x ** mpmath.mpf(2.5),
    "atan": mpmath.atan,
}


@pytest.mark.parametrize("name", EXACT)
def test_derivatives_agree_with_mpmath(name: str) -> None:
    """Orders 0 to 6 along x, all from one program."""
    rule, algebra = named(name), ALGEBRAS["order 6"]
    points = [rule.low + (rule.high - rule.low) * k / 4 for k in range(5)]
    g = torch.zeros(algebra.size, 1, 5, dtype=torch.float64)
    g[0, 0] = torch.tensor(points, dtype=torch.float64)
    for k, c in algebra.seed(0):
        g[k] = c
    (run,) = built(Composition(algebra, rule.taylor).forward(), dtype=torch.float64)
    (found,) = run(g)
    for order in range(7):
        derivative = sum(c * found[k, 0] for k, c in algebra.read(dx**order))
        exact = torch.tensor([oracle.derivatives(EXACT[name], p, 6)[order] for p in points], dtype=torch.float64)
        assert torch.allclose(derivative, exact, rtol=1e-10, atol=1e-10), (order, derivative, exact)


# --------------------------------------------------------------------------------------------------- NaN, ±∞ and denormals


@each_dtype
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["tanh", "sin", "gelu", "softplus", "exp", "silu", "number_power 3"])
def test_a_bad_row_spoils_nothing_else(name: str, bad: float, dtype: torch.dtype) -> None:
    rule = named(name)
    whole, forward, backward = passes("Laplacian", "stacked", dtype)[name]
    *g, w = operands(rule, whole, 9, 7, dtype=dtype)
    good = [forward(*g)[0], backward(*g, w)[0]]
    for component in range(4):
        spoiled = g[0].clone()
        spoiled[component, 4] = bad
        for before, after in zip(good, [forward(spoiled)[0], backward(spoiled, w)[0]], strict=True):
            assert torch.equal(before[:, :4], after[:, :4])
            assert torch.equal(before[:, 5:], after[:, 5:])
        if component == 0 and math.isnan(bad):
            assert forward(spoiled)[0][:, 4].isnan().all()
            assert backward(spoiled, w)[0][:, 4].isnan().all()


def same_outside_of_numbers(found: Tensor, expected: Tensor) -> bool:
    """NaN at the same places, where no product of 0 and ∞ is involved."""
    return torch.equal(found.isnan(), expected.isnan())


@each_dtype
@pytest.mark.parametrize("name", ["tanh", "sin", "gelu", "softplus", "exp", "sigmoid", "number_power 3", "relu"])
def test_nan_spreads_as_in_torch_functions(name: str, dtype: torch.dtype) -> None:
    rule = named(name)
    whole, forward, backward = passes("Laplacian", "stacked", dtype)[name]
    *g, w = operands(rule, whole, 8, 5, dtype=dtype)
    for k in range(8):
        g[0][k % whole.algebra.size, k] = math.nan
    assert same_outside_of_numbers(forward(*g)[0], whole(*g))
    assert same_outside_of_numbers(backward(*g, w)[0], whole.pull_back(*g, w)[0])


@each_dtype
def test_denormals_are_computed(dtype: torch.dtype) -> None:
    x = Recorder().emit("input", "x", 0)
    recorded = program((Operand("x", (0,)),), [(Operand("y", (0,)), [x * 0.25])])
    tiny = torch.finfo(dtype).tiny
    given = torch.full((1, 3, 19), tiny, dtype=dtype)
    (run,) = built(recorded, dtype=dtype)
    (found,) = run(given, parts=2)
    assert torch.equal(found, torch.full_like(found, tiny / 4))
    assert found.all()


# ------------------------------------------------------------------------------------------------------------- the source


def test_every_component_is_read_and_written_where_it_lies() -> None:
    """Components in another order than 0, 1, 2, …, of several operands."""
    recorder = Recorder()
    a = [recorder.emit("input", "a", k) for k in (5, 2)]
    b = [recorder.emit("input", "b", k) for k in (1,)]
    recorded = program(
        (Operand("a", (5, 2)), Operand("b", (1,), uniform=True)),
        [(Operand("y", (3, 0)), [a[0] - a[1], a[1] * b[0]]), (Operand("b", (4,), uniform=True), [a[0]])],
    )
    g, h = torch.randn(2, 4, 3, dtype=torch.float64), torch.randn(1, 1, 3, dtype=torch.float64)
    (run,) = built(recorded, dtype=torch.float64)
    y, total = run(g, h, parts=2)
    assert torch.equal(y, torch.stack([g[0] - g[1], g[1] * h[0]]))
    agree(total, g[:1].sum(1), g.shape[1] * torch.finfo(g.dtype).eps)


def test_numbers_keep_their_digits() -> None:
    x = Recorder().emit("input", "x", 0)
    numbers = [1 / 3, 1e-300, math.pi, 2**0.5, 1e17 + 2]
    recorded = program((Operand("x", (0,)),), [(Operand("y", tuple(range(5))), [x * c for c in numbers])])
    (run,) = built(recorded, dtype=torch.float64)
    (found,) = run(torch.ones(1, 1, 1, dtype=torch.float64))
    assert found.flatten().tolist() == numbers


def test_the_source_is_the_same_each_time() -> None:
    """Otherwise nothing would be found on disk: no addresses, no order of hashing."""
    rule = named("gelu")
    algebra = ap.algebra(dx**2)
    sources = {cpp.source("kernel", Composition(algebra, rule.taylor).backward(), "double") for _ in range(3)}
    assert len(sources) == 1
