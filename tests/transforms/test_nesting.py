"""Every transform inside of others: of apolar, of torch.func, and of autograd."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

import apolar as ap
from apolar.errors import UnsupportedOperator
from tests.oracles.scenarios import smooth, vector
from tests.oracles.torch_func import derivatives

from .agreement import agree
from .every import EVERY

X = torch.tensor([0.3, -0.7, 1.1], dtype=torch.float64)
BATCH = torch.stack([X, 0.5 * X, X - 1, X.flip(0)])
C = ap.coordinates("x y z")
every = pytest.mark.parametrize("name", EVERY)


def squares(f: Callable[[Tensor], Any]) -> Callable[[Tensor], Tensor]:
    """One number from a nest."""
    return lambda x: sum(((y**2).sum() for y in tree_leaves(f(x))), torch.zeros((), dtype=x.dtype))


def flat(f: Callable[[Tensor], Any]) -> Callable[[Tensor], Tensor]:
    """One vector from a nest."""
    return lambda x: torch.cat([y.reshape(-1) for y in tree_leaves(f(x))])


@every
def test_alone(name: str) -> None:
    found, expected = EVERY[name]
    agree(found(X), expected(X))


@every
def test_vmap(name: str) -> None:
    found = EVERY[name].found
    each = [found(x) for x in BATCH]
    agree(torch.func.vmap(found)(BATCH), tree_map(lambda *rows: torch.stack(rows), *each))


@pytest.mark.parametrize("name", ["grad", "hessian", "laplacian", "derivative_tensor"])
def test_vmap_over_another_axis_and_twice(name: str) -> None:
    found = EVERY[name].found
    expected = torch.func.vmap(found)(BATCH)
    agree(torch.func.vmap(found, in_dims=1)(BATCH.T), expected)
    agree(torch.func.vmap(torch.func.vmap(found))(BATCH.reshape(2, 2, 3)).reshape(expected.shape), expected)


NUMBER_OF: dict[str, Callable[[Callable[[Tensor], Tensor]], Callable[[Tensor], Any]]] = {
    "ap.grad": ap.grad,
    "torch.func.grad": torch.func.grad,
}
VECTOR_OF: dict[str, Callable[[Callable[[Tensor], Tensor]], Callable[[Tensor], Any]]] = {
    "ap.jacobian": ap.jacobian,
    "ap.jacobian in chunks": lambda f: ap.jacobian(f, chunk_size=2),
    "torch.func.jacfwd": torch.func.jacfwd,
    "torch.func.jacrev": torch.func.jacrev,
    "ap.jvp": lambda f: lambda x: torch.stack([ap.jvp(f, (x,), (v,))[1] for v in torch.eye(3).double()], -1),
    "ap.vjp": lambda f: lambda x: torch.stack([ap.vjp(f, x)[1](v)[0] for v in torch.eye(len(f(x))).double()]),
    "ap.evaluate": lambda f: lambda x: torch.stack(ap.evaluate(f, x, *C), -1),
}


@every
@pytest.mark.parametrize("outer", NUMBER_OF)
def test_gradients_of(outer: str, name: str) -> None:
    found, expected = EVERY[name]
    agree(NUMBER_OF[outer](squares(found))(X), derivatives(squares(expected), 1)(X))


@every
def test_autograd_of(name: str) -> None:
    found, expected = EVERY[name]
    x = X.clone().requires_grad_()
    agree(torch.autograd.grad(squares(found)(x), x)[0], derivatives(squares(expected), 1)(X))


@every
@pytest.mark.parametrize("outer", VECTOR_OF)
def test_jacobians_of(outer: str, name: str) -> None:
    found, expected = EVERY[name]
    agree(VECTOR_OF[outer](flat(found))(X), derivatives(flat(expected), 1)(X))


TWICE: dict[str, Callable[[Callable[[Tensor], Tensor]], Callable[[Tensor], Tensor]]] = {
    "ap.hessian": ap.hessian,
    "ap.jacobian of ap.grad": lambda f: ap.jacobian(ap.grad(f)),
    "ap.grad twice": lambda f: lambda x: torch.stack([ap.grad(lambda y, k=k: ap.grad(f)(y)[k])(x) for k in range(3)]),
    "torch.func.hessian": torch.func.hessian,
    "torch.func.jacfwd of ap.grad": lambda f: torch.func.jacfwd(ap.grad(f)),
    "torch.func.jacrev of ap.grad": lambda f: torch.func.jacrev(ap.grad(f)),
}
SECOND = [n for n in EVERY if n not in ("bilaplacian", "derivative_tensor")]


@pytest.mark.parametrize("name", SECOND)
@pytest.mark.parametrize("outer", ["ap.hessian", "ap.jacobian of ap.grad", "torch.func.hessian"])
def test_second_derivatives_of(outer: str, name: str) -> None:
    found, expected = EVERY[name]
    agree(TWICE[outer](squares(found))(X), derivatives(squares(expected), 2)(X))


@pytest.mark.parametrize("name", ["grad", "laplacian", "hvp", "vjp"])
@pytest.mark.parametrize("outer", TWICE)
def test_second_derivatives_in_every_way(outer: str, name: str) -> None:
    found, expected = EVERY[name]
    agree(TWICE[outer](squares(found))(X), derivatives(squares(expected), 2)(X))


@every
def test_second_derivatives_by_autograd(name: str) -> None:
    """The graph of a gradient can be walked again."""
    found, expected = EVERY[name]
    x = X.clone().requires_grad_()
    (first,) = torch.autograd.grad(squares(found)(x), x, create_graph=True)
    (second,) = torch.autograd.grad(first[0], x)
    agree(second, derivatives(squares(expected), 2)(X)[0])


@every
def test_vmap_of_gradients(name: str) -> None:
    found = squares(EVERY[name].found)
    expected = torch.stack([ap.grad(found)(x) for x in BATCH])
    agree(torch.func.vmap(ap.grad(found))(BATCH), expected)
    agree(torch.func.vmap(torch.func.grad(found))(BATCH), expected)


@every
def test_no_grad(name: str) -> None:
    found, expected = EVERY[name]
    with torch.no_grad():
        result = found(X)
    agree(result, expected(X))
    assert not any(y.requires_grad for y in tree_leaves(result))


@every
def test_constants_get_gradients(name: str) -> None:
    """What a function closes over is differentiated by autograd."""
    found, expected = EVERY[name]
    scale = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)
    value = squares(lambda x: found(scale * x))(X)
    (slope,) = torch.autograd.grad(value, scale)
    agree(slope, torch.func.grad(lambda s: squares(expected)(s * X))(scale.detach()))


TORCH_FUNC: dict[str, Callable[[Tensor], Tensor]] = {
    "grad": lambda x: torch.func.grad(smooth)(x),
    "jacrev": lambda x: torch.func.jacrev(vector)(x).sum(0),
    "jacfwd": lambda x: torch.func.jacfwd(vector)(x).sum(0),
    "hessian": lambda x: torch.func.hessian(smooth)(x).sum(0),
    "jvp": lambda x: torch.func.jvp(torch.sin, (x,), (torch.ones_like(x),))[1],
    "vjp": lambda x: torch.func.vjp(torch.sin, x)[1](torch.ones_like(x))[0],
    "vmap": lambda x: torch.func.vmap(lambda e: e**3)(x),
    "autograd.grad": lambda x: torch.autograd.grad(smooth(x), x, create_graph=True)[0],
    "autograd.functional": lambda x: torch.autograd.functional.jacobian(smooth, x, create_graph=True),
}
AROUND: dict[str, Callable[[Callable[[Tensor], Tensor]], Callable[[Tensor], Any]]] = {
    "ap.grad": lambda f: ap.grad(lambda x: f(x)[0]),
    "ap.jacobian": ap.jacobian,
    "ap.hessian": ap.hessian,
    "ap.evaluate": VECTOR_OF["ap.evaluate"],
}


@pytest.mark.parametrize("inner", TORCH_FUNC)
@pytest.mark.parametrize("outer", AROUND)
def test_torch_inside_of_apolar_is_right_or_refused(outer: str, inner: str) -> None:
    """A jet is not a tensor of torch.func; what must not happen is a wrong number."""
    try:
        found = AROUND[outer](TORCH_FUNC[inner])(X)
    except ap.ApolarError:
        return
    expected = {"ap.grad": lambda f: derivatives(lambda x: f(x)[0], 1), "ap.hessian": lambda f: derivatives(f, 2)}
    agree(found, expected.get(outer, lambda f: derivatives(f, 1))(recorded(TORCH_FUNC[inner]))(X))


def recorded(f: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """For references in reverse mode: the two that walk autograd's graph are the gradient."""
    return derivatives(smooth, 1) if f in (TORCH_FUNC["autograd.grad"], TORCH_FUNC["autograd.functional"]) else f


def test_torch_func_inside_of_an_evaluation_inside_of_a_gradient() -> None:
    """The transform around does not see what the inner one does with jets: another way is taken, or it is refused."""

    def f(x: Tensor) -> Tensor:
        return torch.func.grad(lambda y: (y**5).sum() / 5)(x).sum()

    x = torch.tensor([0.5, 0.7], dtype=torch.float64)
    v = torch.ones_like(x)
    assert torch.allclose(ap.hvp(f, x, v), 12 * x**2)
    assert torch.allclose(ap.grad(lambda x: ap.grad(f)(x).sum())(x), 12 * x**2)
    with pytest.raises(UnsupportedOperator, match=r"ap\.grad, ap\.jacobian or ap\.jvp in the place"):
        torch.func.grad(lambda x: ap.jvp(f, (x,), (v,))[1])(x)
