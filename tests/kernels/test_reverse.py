"""The autograd functions: first and second derivatives against finite differences, over several algebras."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import apolar as ap
from apolar.algebras.algebra import Algebra
from apolar.engine import series
from apolar.kernels import eager, reverse
from apolar.kernels.composition import composition
from apolar.kernels.links import Affine, chain

dx, dy = ap.coordinates("x y")

ALGEBRAS: dict[str, Algebra] = {
    "gradient": ap.algebra(dx, dy),
    "Laplacian": ap.algebra(dx**2 + dy**2),
    "mixed": ap.algebra(dx * dy),
    "KdV": ap.algebra(dx**3, dy),
    "biharmonic": ap.algebra((dx**2 + dy**2) ** 2),
}
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {"tanh": torch.tanh, "exp": torch.exp, "sin": torch.sin}
CHECKS = [torch.autograd.gradcheck, torch.autograd.gradgradcheck]
DTYPES = [torch.float64, torch.complex128]
BATCHES = [(), (4,), (2, 2), (0,)]


def random(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (0.5 * torch.randn(*shape, dtype=dtype, generator=generator)).requires_grad_()


def taylor_of(function: Callable[[Tensor], Tensor]) -> series.Expansion:
    """φ(x), φ′(x), φ″(x)/2!, …"""
    return series.Expansion(series.FUNCTIONS[function])  # type: ignore[arg-type]


def affine(components: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x Wᵀ + b."""
    return reverse.run(chain(Affine(bias is not None)), components, weight, *([] if bias is None else [bias]))


@pytest.mark.parametrize("check", CHECKS, ids=["first", "second"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("name", ALGEBRAS)
def test_compose(name: str, function: str, dtype: torch.dtype, check: Callable[..., bool]) -> None:
    algebra, taylor = ALGEBRAS[name], taylor_of(FUNCTIONS[function])
    components = random(algebra.size, 2, dtype=dtype)
    assert check(lambda c: reverse.run(chain(composition(algebra, taylor)), c), (components,))


@pytest.mark.parametrize("check", CHECKS, ids=["first", "second"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("batch", BATCHES, ids=str)
def test_affine(batch: tuple[int, ...], bias: bool, dtype: torch.dtype, check: Callable[..., bool]) -> None:
    components = random(3, *batch, 3, dtype=dtype)
    weight = random(2, 3, dtype=dtype, seed=1)
    shift = random(2, dtype=dtype, seed=2) if bias else None
    assert check(affine, (components, weight, shift))


@pytest.mark.parametrize("name", ALGEBRAS)
def test_affine_shifts_the_value_only(name: str) -> None:
    algebra = ALGEBRAS[name]
    components, weight, bias = random(algebra.size, 4, 3), random(2, 3, seed=1), random(2, seed=2)
    y = affine(components, weight, bias)
    expected = torch.stack([c @ weight.T + (bias if k == 0 else 0) for k, c in enumerate(components)])
    assert torch.allclose(y, expected)


@pytest.mark.parametrize("name", ALGEBRAS)
def test_the_dual_product_is_the_adjoint_of_the_product(name: str) -> None:
    """⟨w, f·h⟩ = ⟨f* w, h⟩."""
    algebra = ALGEBRAS[name]
    f, h, w = (random(algebra.size, 3, seed=k).detach() for k in range(3))
    left = (w * eager.product(algebra, f.unbind(0), h.unbind(0))).sum()
    right = (eager.dual_product(algebra, f, w) * h).sum()
    assert torch.allclose(left, right)


WATCHED: dict[str, tuple[Callable[[Tensor], bool], bool]] = {
    "autograd": (lambda x: reverse.applies(x), True),
    "one of two": (lambda x: reverse.applies(x.detach(), x), True),
    "no tensor": (lambda x: reverse.applies(None), False),
    "a constant": (lambda x: reverse.applies(x.detach()), False),
    "no_grad": (lambda x: torch.no_grad()(reverse.applies)(x), False),
}


@pytest.mark.parametrize("name", WATCHED)
def test_only_plain_reverse_mode_takes_the_autograd_functions(name: str) -> None:
    ask, expected = WATCHED[name]
    assert ask(random(2)) is expected


def test_torch_func_does_not_take_the_autograd_functions() -> None:
    answers: list[bool] = []

    def f(x: Tensor) -> Tensor:
        answers.append(reverse.applies(x))
        return x.sum()

    torch.func.grad(f)(random(2))
    assert answers == [False]
