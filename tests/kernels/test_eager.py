"""The straight-line programs against exact polynomials, and the same on every path that they can take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import comb
from typing import Any

import pytest
import torch
from sympy.polys.rings import PolyElement
from torch import Tensor

import apolar as ap
from apolar.algebras.algebra import Algebra
from apolar.engine.series import Scaled
from apolar.evaluation.seeds import lift
from apolar.kernels import eager
from tests.oracles.polynomials import VARIABLES, applied, at, rational

C = ap.coordinates("x y z")
dx, dy, dz = C
x, y, z = VARIABLES

ALGEBRAS: dict[str, Algebra] = {
    "gradient": ap.algebra(dx, dy, dz),
    "Laplacian": ap.algebra(C.laplacian),
    "heat": ap.algebra(dz - Fraction(1, 10) * (dx**2 + dy**2)),
    "mixed": ap.algebra(dx * dy * dz),
    "KdV": ap.algebra(dx**3, dy),
    "biharmonic": ap.algebra((dx**2 + dy**2) ** 2),
    "uneven": ap.algebra(dx**4 - 3 * dx * dy**2 + Fraction(2, 3) * dz, dx * dz - dy),
    "order 7": ap.algebra((dx - 2 * dy) ** 7, dz**2),
    "the value alone": ap.algebra(C.one),
}
POINTS = [(Fraction(1, 2), Fraction(-3, 4), Fraction(1, 3)), (Fraction(-1), Fraction(2, 5), Fraction(0))]
G = x**3 * y - 2 * x * z + rational(Fraction(1, 2)) * y**2 + 3
H = (x + y) ** 3 - z**2 * x + rational(Fraction(5, 7)) * x**5 + z - 2
W = y**4 - x * y * z + 1
MATRIX_G = [[G, x * y], [z - 1, H]]
MATRIX_H = [[x**2, W], [y * z + 2, G]]

each_algebra = pytest.mark.parametrize("name", ALGEBRAS)


def components(algebra: Algebra, g: PolyElement) -> Tensor:
    """pᵢ(∂)g at every point: ``(m, points)``."""
    exact = [[float(at(applied(p.terms, g), point)) for point in POINTS] for p in algebra.basis]
    return torch.tensor(exact, dtype=torch.float64)


def matrix(algebra: Algebra, rows: Sequence[Sequence[PolyElement]]) -> Tensor:
    """The same of a matrix of polynomials: ``(m, points, rows, columns)``."""
    return torch.stack([torch.stack([components(algebra, g) for g in row], -1) for row in rows], -2)


def close(found: Tensor, expected: Tensor) -> bool:
    return torch.allclose(found, expected, rtol=1e-11, atol=1e-11 * float(expected.abs().max()))


def taylor_of(coefficients: Sequence[Fraction | int], g: PolyElement, order: int) -> list[Any]:
    """φ⁽ᵉ⁾(g)/e! for the polynomial φ with these coefficients; the number 0 beyond its degree."""

    def term(e: int) -> Any:
        terms = [rational(c) * comb(n, e) * g ** (n - e) for n, c in enumerate(coefficients) if n >= e]
        return torch.tensor([float(at(sum(terms), point)) for point in POINTS], dtype=torch.float64) if terms else 0

    return [term(e) for e in range(order + 1)]


# ------------------------------------------------------------------------------------------- against exact polynomials


@each_algebra
def test_product(name: str) -> None:
    algebra = ALGEBRAS[name]
    g, h = (components(algebra, p).unbind(0) for p in (G, H))
    assert close(eager.product(algebra, g, h), components(algebra, G * H))
    assert close(eager.product(algebra, g, g), components(algebra, G * G))


@each_algebra
def test_bilinear_functions_that_do_not_commute(name: str) -> None:
    algebra = ALGEBRAS[name]
    g, h = matrix(algebra, MATRIX_G), matrix(algebra, MATRIX_H)
    exact = [[sum(MATRIX_G[i][k] * MATRIX_H[k][j] for k in range(2)) for j in range(2)] for i in range(2)]
    found = eager.bilinear(algebra, torch.matmul, g.unbind(0), h.unbind(0))
    assert close(found, matrix(algebra, exact))


@each_algebra
def test_division_undoes_multiplication(name: str) -> None:
    algebra = ALGEBRAS[name]
    g, product = components(algebra, G), components(algebra, G * H)
    found = eager.divide(algebra, lambda b: b / g[0], torch.mul, g.unbind(0), product.unbind(0))
    assert close(found, components(algebra, H))


@each_algebra
def test_division_by_matrices(name: str) -> None:
    """X with A X = B."""
    algebra = ALGEBRAS[name]
    a, expected = matrix(algebra, MATRIX_G), matrix(algebra, MATRIX_H)
    b = eager.bilinear(algebra, torch.matmul, a.unbind(0), expected.unbind(0))
    found = eager.divide(algebra, lambda c: torch.linalg.solve(a[0], c), torch.matmul, a.unbind(0), b.unbind(0))
    assert close(found, expected)


OUTER: dict[str, list[Fraction | int]] = {
    "constant": [3],
    "linear": [-1, 2],
    "square": [0, 0, 1],
    "cubic": [1, -2, 0, Fraction(1, 3)],
    "degree 9": [1, 0, -1, 2, 0, Fraction(1, 5), 0, 0, 0, Fraction(-1, 7)],
}


@pytest.mark.parametrize("outer", OUTER)
@each_algebra
def test_composition(name: str, outer: str) -> None:
    algebra, coefficients = ALGEBRAS[name], OUTER[outer]
    exact = sum(rational(c) * G**n for n, c in enumerate(coefficients))
    g = components(algebra, G)
    found = eager.compose(algebra, taylor_of(coefficients, G, algebra.order), g)
    assert close(found, components(algebra, exact))


@each_algebra
def test_composition_with_numbers_and_scaled_tensors_as_coefficients(name: str) -> None:
    """2x² − x + 1 with φ₁ = 4·(g − ¼) kept as a factor and a tensor, and φ₂ = 2 as a number."""
    algebra = ALGEBRAS[name]
    g = components(algebra, G)
    taylor: list[Any] = [2 * g[0] ** 2 - g[0] + 1, Scaled(4.0, g[0] - 0.25), 2.0, *[0] * algebra.order]
    found = eager.compose(algebra, taylor[: algebra.order + 1], g)
    assert close(found, components(algebra, 2 * G**2 - G + 1))


@each_algebra
def test_composition_with_a_constant_that_is_a_number(name: str) -> None:
    algebra = ALGEBRAS[name]
    found = eager.compose(algebra, [5.0, *[0] * algebra.order], components(algebra, G))
    assert torch.equal(found[0], torch.full((2,), 5.0, dtype=torch.float64))
    assert not found[1:].any()


@each_algebra
def test_dual_product(name: str) -> None:
    """⟨w, g·h⟩ = ⟨g* w, h⟩, with g·h from exact polynomials."""
    algebra = ALGEBRAS[name]
    g, h, product, w = (components(algebra, p) for p in (G, H, G * H, W))
    assert close((eager.dual_product(algebra, g, w) * h).sum(), (w * product).sum())


@each_algebra
@pytest.mark.parametrize("shape", [(0,), (2, 0, 3)], ids=str)
def test_tensors_without_entries(name: str, shape: tuple[int, ...]) -> None:
    algebra = ALGEBRAS[name]
    g = torch.zeros(algebra.size, *shape)
    taylor = [torch.zeros(shape)] * (algebra.order + 1)
    assert eager.product(algebra, g.unbind(0), g.unbind(0)).shape == g.shape
    assert eager.compose(algebra, taylor, g).shape == g.shape
    assert eager.dual_product(algebra, g, g).shape == g.shape


def test_stacking_fills_in_numbers() -> None:
    found = eager.stack([0, torch.tensor([1.0, 2.0]), 3])
    assert torch.equal(found, torch.tensor([[0.0, 0.0], [1.0, 2.0], [3.0, 3.0]]))


# ------------------------------------------------------------------------------------------------ the same on every path

Program = Callable[[Algebra, Tensor, Tensor], Tensor]


def exponential(algebra: Algebra, g: Tensor, _: Tensor) -> Tensor:
    value = torch.exp(g[0])
    taylor = [value]
    for e in range(1, algebra.order + 1):
        taylor.append(taylor[-1] / e)
    return eager.compose(algebra, taylor, g)


PROGRAMS: dict[str, Program] = {
    "product": lambda algebra, g, h: eager.product(algebra, g.unbind(0), h.unbind(0)),
    "square": lambda algebra, g, h: eager.product(algebra, (parts := g.unbind(0)), parts),
    "divide": lambda algebra, g, h: eager.divide(algebra, lambda b: b / g[0], torch.mul, g.unbind(0), h.unbind(0)),
    "compose": exponential,
    "dual_product": lambda algebra, g, h: eager.dual_product(algebra, g, h),
}


def recorded(run: Callable[[Tensor, Tensor], Tensor], g: Tensor, h: Tensor) -> Tensor:
    found = run(g.clone().requires_grad_(), h.clone().requires_grad_())
    assert found.requires_grad
    return found.detach()


def batched(run: Callable[[Tensor, Tensor], Tensor], g: Tensor, h: Tensor) -> Tensor:
    return torch.func.vmap(run, in_dims=1, out_dims=1)(g, h)


def forward(run: Callable[[Tensor, Tensor], Tensor], g: Tensor, h: Tensor) -> Tensor:
    return torch.func.jvp(run, (g, h), (g, h))[0]


def reverse(run: Callable[[Tensor, Tensor], Tensor], g: Tensor, h: Tensor) -> Tensor:
    return torch.func.vjp(run, g, h)[0]


def lifted(run: Callable[[Tensor, Tensor], Tensor], g: Tensor, h: Tensor) -> Tensor:
    """Components that are themselves jets, of an evaluation around."""
    outer = ap.algebra(dx)
    return run(lift(outer, g, [g]), lift(outer, h, [h])).value


PATHS = {path.__name__: path for path in (recorded, batched, forward, reverse, lifted)}


def example(algebra: Algebra) -> tuple[Tensor, Tensor]:
    return components(algebra, G), components(algebra, H)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("program", PROGRAMS)
@each_algebra
def test_every_path_agrees_with_accumulation_in_place(name: str, program: str, path: str) -> None:
    algebra = ALGEBRAS[name]
    g, h = example(algebra)
    paths: list[bool] = []

    def run(g: Tensor, h: Tensor) -> Tensor:
        paths.append(eager.in_place(g, h))
        return PROGRAMS[program](algebra, g, h)

    with torch.no_grad():
        expected = run(g, h)
    found = PATHS[path](run, g, h)
    assert paths == [True, False]
    assert torch.allclose(found, expected, rtol=1e-13, atol=1e-13 * float(expected.abs().max()))


@pytest.mark.parametrize("program", PROGRAMS)
@each_algebra
def test_derivatives_of_the_recorded_path_and_of_torch_func_agree(name: str, program: str) -> None:
    algebra = ALGEBRAS[name]
    g, h = (t.clone().requires_grad_() for t in example(algebra))

    def run(g: Tensor, h: Tensor) -> Tensor:
        return PROGRAMS[program](algebra, g, h)

    weights = components(algebra, W)
    by_autograd = torch.autograd.grad((weights * run(g, h)).sum(), (g, h), materialize_grads=True)
    by_torch_func = torch.func.grad(lambda g, h: (weights * run(g, h)).sum(), argnums=(0, 1))(g.detach(), h.detach())
    for a, b in zip(by_autograd, by_torch_func, strict=True):
        assert close(a, b)


@pytest.mark.parametrize("program", PROGRAMS)
@each_algebra
def test_inputs_are_left_alone(name: str, program: str) -> None:
    g, h = example(ALGEBRAS[name])
    before = g.clone(), h.clone()
    with torch.no_grad():
        PROGRAMS[program](ALGEBRAS[name], g, h)
    assert torch.equal(g, before[0])
    assert torch.equal(h, before[1])


@each_algebra
def test_coefficients_are_left_alone(name: str) -> None:
    algebra = ALGEBRAS[name]
    taylor = taylor_of(OUTER["degree 9"], G, algebra.order)
    before = [t.clone() if isinstance(t, Tensor) else t for t in taylor]
    with torch.no_grad():
        eager.compose(algebra, taylor, components(algebra, G))
    for a, b in zip(taylor, before, strict=True):
        assert torch.equal(torch.as_tensor(a), torch.as_tensor(b))
