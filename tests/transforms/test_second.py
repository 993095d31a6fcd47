"""Hessians, their diagonals and traces, and products with them, against torch.func."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

import apolar as ap
from apolar.errors import FunctionError, OperatorError, ShapeError
from apolar.transforms.second import DENSE_HESSIAN
from tests.oracles import torch_func
from tests.oracles.scenarios import FUNCTIONS, MANY, NUMBERS, ONE_ARGUMENT, Scenario, nested, smooth, vector

from .agreement import DTYPES, agree

each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)
WHOLE = [s for s in NUMBERS if len(s.shapes) == 1]
X = torch.tensor([0.3, -0.7, 1.1], dtype=torch.float64)
WIDE = torch.linspace(-1, 1, DENSE_HESSIAN + 6, dtype=torch.float64)


@each_dtype
@pytest.mark.parametrize("chunk_size", [None, 1, 3])
@pytest.mark.parametrize("scenario", FUNCTIONS, ids=str)
def test_hessian(scenario: Scenario, chunk_size: int | None, dtype: torch.dtype) -> None:
    found = ap.hessian(scenario.function, scenario.argnums, chunk_size=chunk_size)(*scenario.inputs(dtype))
    agree(found, torch_func.of(scenario, 2, dtype), dtype)


@each_dtype
@pytest.mark.parametrize("chunk_size", [None, 7])
@pytest.mark.parametrize("scenario", MANY, ids=str)
def test_hessian_in_many_variables(scenario: Scenario, chunk_size: int | None, dtype: torch.dtype) -> None:
    found = ap.hessian(scenario.function, scenario.argnums, chunk_size=chunk_size)(*scenario.inputs(dtype))
    agree(found, torch_func.of(scenario, 2, dtype), dtype)


@pytest.mark.parametrize("n", [DENSE_HESSIAN, DENSE_HESSIAN + 1])
def test_hessian_on_both_sides_of_the_change_of_strategy(n: int) -> None:
    x = torch.linspace(-1, 1, n, dtype=torch.float64)
    agree(ap.hessian(smooth)(x), torch_func.derivatives(smooth, 2)(x))
    found, aux = ap.hessian(lambda x: (smooth(x), x * 2), has_aux=True)(x)
    agree(found, torch_func.derivatives(smooth, 2)(x))
    agree(aux, 2 * x)


@pytest.mark.parametrize("x", [X, WIDE], ids=["few variables", "many variables"])
def test_hessians_are_differentiated_by_autograd(x: Tensor) -> None:
    moving = x.clone().requires_grad_()
    (found,) = torch.autograd.grad((ap.hessian(smooth)(moving) ** 2).sum(), moving)
    agree(found, torch.func.grad(lambda y: (torch_func.derivatives(smooth, 2)(y) ** 2).sum())(x))


@pytest.mark.parametrize("x", [X, WIDE], ids=["few variables", "many variables"])
def test_hessians_reach_the_parameters(x: Tensor) -> None:
    weight = torch.linspace(0.5, 1.5, x.numel(), dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(ap.hessian(lambda y: torch.sin(weight * y).sum())(x).sum(), weight)
    w = weight.detach()
    agree(found, -2 * w * torch.sin(w * x) - w**2 * x * torch.cos(w * x))


@each_dtype
@pytest.mark.parametrize("product", [ap.hvp, ap.vhp], ids=["hvp", "vhp"])
@pytest.mark.parametrize("scenario", [*WHOLE, *(s for s in MANY[:5])], ids=str)
def test_hvp_and_vhp(scenario: Scenario, product: Callable[..., Tensor], dtype: torch.dtype) -> None:
    (x,), (v,) = scenario.inputs(dtype), scenario.directions(dtype)
    expected = torch_func.contracted(torch_func.of(scenario, 2, dtype), v.double())
    agree(product(scenario.function, x, v), expected, dtype)


@each_dtype
@pytest.mark.parametrize("chunk_size", [None, 1, 3])
@pytest.mark.parametrize("scenario", ONE_ARGUMENT, ids=str)
def test_hessian_diagonal(scenario: Scenario, chunk_size: int | None, dtype: torch.dtype) -> None:
    found = ap.hessian_diagonal(scenario.function, chunk_size=chunk_size)(*scenario.inputs(dtype))
    agree(found, torch_func.diagonal(torch_func.of(scenario, 2, dtype), scenario.shapes[0]), dtype)


def trace(scenario: Scenario, dtype: torch.dtype) -> Any:
    shape = scenario.shapes[0]
    unmixed = torch_func.diagonal(torch_func.of(scenario, 2, dtype), shape)
    return tree_map(lambda d: d.sum(tuple(range(-len(shape), 0))) if shape else d, unmixed)


@each_dtype
@pytest.mark.parametrize("chunk_size", [None, 1, 3])
@pytest.mark.parametrize("scenario", ONE_ARGUMENT, ids=str)
def test_exact_trace(scenario: Scenario, chunk_size: int | None, dtype: torch.dtype) -> None:
    found = ap.hessian_trace(scenario.function, chunk_size=chunk_size)(*scenario.inputs(dtype))
    agree(found, trace(scenario, dtype), dtype)


# ---------------------------------------------------------------------------------------------------- the estimated trace


@each_dtype
@pytest.mark.parametrize("scenario", ONE_ARGUMENT, ids=str)
def test_estimated_trace_is_within_its_standard_error(scenario: Scenario, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(1)
    found = ap.hessian_trace(scenario.function, samples=200, generator=generator)(*scenario.inputs(dtype))
    expected = tree_leaves(trace(scenario, dtype))
    estimates = tree_leaves(found, is_leaf=lambda t: isinstance(t, ap.TraceEstimate))
    for estimate, exact in zip(estimates, expected, strict=True):
        assert estimate.value.dtype == estimate.standard_error.dtype == dtype
        assert estimate.value.shape == estimate.standard_error.shape == exact.shape
        noise = 1e-4 if dtype == torch.float32 else 1e-10
        assert ((estimate.value - exact).abs() <= 4.5 * estimate.standard_error + noise * (1 + exact.abs())).all()


def test_estimates_get_better_with_more_samples_as_they_say() -> None:
    def estimate(samples: int) -> ap.TraceEstimate:
        return ap.hessian_trace(smooth, samples, torch.Generator().manual_seed(2), chunk_size=100)(WIDE)

    few, many = estimate(50), estimate(800)
    assert 2.5 < float(few.standard_error / many.standard_error) < 6


def test_estimates_of_a_diagonal_hessian_are_exact() -> None:
    """Random signs have squares of 1."""
    found = ap.hessian_trace(lambda x: (x**4).sum(), samples=2)(X)
    agree(found.value, 12 * (X**2).sum())
    agree(found.standard_error, torch.zeros((), dtype=torch.float64))


@pytest.mark.parametrize("chunk_size", [None, 3])
def test_estimates_repeat_with_their_generator(chunk_size: int | None) -> None:
    def estimate(seed: int, chunk_size: int | None = chunk_size) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return ap.hessian_trace(smooth, 8, generator, chunk_size=chunk_size)(X).value

    agree(estimate(3), estimate(3, None))
    assert not torch.equal(estimate(3), estimate(4))


# ----------------------------------------------------------------------------------------------------- functions that fail


def fails(x: Tensor) -> Tensor:
    return (x @ torch.ones(3, 3).double()).sum()


POINTS = torch.ones(6, 2, dtype=torch.float64)
MATRIX = torch.ones(15, 2, dtype=torch.float64)
FAILING: dict[str, tuple[Callable[[], object], type[Exception], str]] = {
    "hessian": (lambda: ap.hessian(fails)(POINTS), FunctionError, "mat1 and mat2"),
    "hessian in many variables": (lambda: ap.hessian(fails)(MATRIX), FunctionError, "mat1 and mat2"),
    "hvp": (lambda: ap.hvp(fails, POINTS, POINTS), FunctionError, "mat1 and mat2"),
    "diagonal": (lambda: ap.hessian_diagonal(fails)(POINTS), FunctionError, "mat1 and mat2"),
    "trace": (lambda: ap.hessian_trace(fails)(POINTS), FunctionError, "mat1 and mat2"),
    "hessian of nothing": (lambda: ap.hessian(lambda x: None)(POINTS), FunctionError, "NoneType"),
    "hessian of nothing in many variables": (lambda: ap.hessian(lambda x: None)(MATRIX), FunctionError, "NoneType"),
    "no auxiliary value": (lambda: ap.hessian(smooth, has_aux=True)(POINTS), FunctionError, "pair"),
    "no auxiliary value, many": (lambda: ap.hessian(smooth, has_aux=True)(MATRIX), FunctionError, "pair"),
    "hvp of several numbers": (lambda: ap.hvp(vector, X, X), ShapeError, r"one number, got \(2,\)"),
    "hvp of a nest": (lambda: ap.hvp(nested, X, X), ShapeError, "dict"),
    "direction of another shape": (lambda: ap.hvp(smooth, X, X[:2]), ShapeError, r"\(3,\) and \(2,\)"),
    "one sample": (lambda: ap.hessian_trace(smooth, samples=1), OperatorError, "at least 2 samples, got 1"),
    "chunks of none, hessian": (lambda: ap.hessian(smooth, chunk_size=0)(X), ShapeError, "chunk_size.*0"),
    "chunks of none, many": (lambda: ap.hessian(smooth, chunk_size=0)(WIDE), ShapeError, "chunk_size.*0"),
    "chunks of −1": (lambda: ap.hessian(smooth, chunk_size=-1)(X), ShapeError, "chunk_size.*-1"),
    "chunks of none, diagonal": (lambda: ap.hessian_diagonal(smooth, chunk_size=0)(X), ShapeError, "chunk_size.*0"),
    "chunks of none, trace": (lambda: ap.hessian_trace(smooth, chunk_size=0)(X), ShapeError, "chunk_size.*0"),
}


@pytest.mark.parametrize("name", FAILING)
def test_what_goes_wrong_is_said_in_the_words_of_apolar(name: str) -> None:
    call, error, message = FAILING[name]
    with pytest.raises(error, match=message):
        call()


LINE = torch.linspace(-0.5, 1.5, 30, dtype=torch.float64)


@torch.jit.script
def scripted(x: torch.Tensor) -> torch.Tensor:
    if bool(x[0] < 0):
        return (x**4).sum()
    return x.sum()


UNBATCHED = {
    "a mask": (lambda x: (x[x > 0] ** 4).sum(), lambda x: 12 * x**2 * (x > 0)),
    "nonzero": (lambda x: (x[(x > 0).nonzero()[:, 0]] ** 4).sum(), lambda x: 12 * x**2 * (x > 0)),
    "a condition": (lambda x: (x**4).sum() if x[0] < 0 else x.sum(), lambda x: 12 * x**2),
    "TorchScript": (scripted, lambda x: 12 * x**2),
    "torch.func": (lambda x: torch.func.grad(lambda y: (y**5).sum() / 5)(x).sum(), lambda x: 12 * x**2),
    "a sparse matrix": (lambda x: ((torch.eye(30, dtype=x.dtype).to_sparse_csr() @ x) ** 4).sum(), lambda x: 12 * x**2),
    "checkpoint": (
        lambda x: torch.utils.checkpoint.checkpoint(lambda y: (y**4).sum(), x, use_reentrant=False),
        lambda x: 12 * x**2,
    ),
}


@pytest.mark.parametrize("name", UNBATCHED)
def test_functions_that_vmap_does_not_take_in_many_variables(name: str) -> None:
    f, diagonal = UNBATCHED[name]
    for x in (LINE, LINE[:6]):
        if name != "a sparse matrix" or len(x) == 30:
            assert torch.allclose(ap.hessian(f)(x), torch.diag(diagonal(x)))
