"""torch.func inside of a lifted function and around it, with the parameters of networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, stack_module_state, vjp, vmap

import apolar as ap
from tests.lifted import C, Function, X, close, dx, lifted, nested, network
from tests.oracles.nested_autograd import Derivatives

NET = network(1)
ROWS = [nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2)).double() for _ in range(3)]
MEMBERS = {name: p.detach().requires_grad_() for name, p in stack_module_state(ROWS)[0].items()}


def member(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
    return functional_call(ROWS[0], parameters, (x,))


def number(a: Tensor) -> Tensor:
    return NET(a).prod(-1)


def seeded(f: Function) -> Function:
    return lambda x: (torch.manual_seed(0), f(x))[1]


INSIDE: dict[str, Function] = {
    "vmap": lambda x: vmap(NET)(x),
    "vmap over columns": lambda x: vmap(NET, in_dims=1, out_dims=-1)(x.mT).mT,
    "vmap of two": lambda x: vmap(lambda a, b: NET(a) * b)(x, x**2),
    "vmap of one of two": lambda x: vmap(lambda a, b: NET(a) * NET(b), in_dims=(0, None))(x, x[0] * 0 + X[0]),
    "vmap of a constant": lambda x: vmap(lambda a, b: NET(a * b), in_dims=(0, None))(X[:3, 0], x).sum(0),
    "vmap twice": lambda x: vmap(lambda a: vmap(lambda e, b: (NET(a) * e * b).sum(), (0, None))(a, a))(x),
    "vmap in chunks": lambda x: vmap(NET, chunk_size=2)(x),
    "vmap of a nest": lambda x: vmap(lambda d: NET(d["a"]) * d["b"][0])({"a": x, "b": [x.sin()]}),
    "vmap with dropout": lambda x: seeded(vmap(lambda a: F.dropout(NET(a)), randomness="different"))(x),
    "vmap with one mask": lambda x: seeded(vmap(lambda a: torch.rand_like(a) * NET(a), randomness="same"))(x),
    "an ensemble": lambda x: vmap(member, in_dims=(0, None))(MEMBERS, x).prod(0),
    "gradients of an ensemble": lambda x: vmap(lambda p: grad(lambda y: member(p, y).pow(2).sum())(x))(MEMBERS).sum(0),
    "gradients by a weight": lambda x: vmap(grad(lambda w, a: (NET(a) @ w).prod()), (None, 0))(ROWS[0][0].weight.mT, x).sum(2),
    "functional_call": lambda x: functional_call(NET, {"4.bias": NET[4].bias * 2}, (x,)),
    "grad": lambda x: vmap(grad(number))(x),
    "grad of two": lambda x: sum(grad(lambda a, b: (NET(a) * b).sum(), argnums=(0, 1))(x, x.sin())),
    "grad and more": lambda x: torch.mul(*grad(lambda a: (NET(a).pow(2).sum(), a.sin()), has_aux=True)(x)),
    "grad by a constant": lambda x: vmap(lambda a: a * grad(lambda t: (NET(a * t) ** 2).sum())(X[0, 0]))(x),
    "grad of grad": lambda x: vmap(grad(lambda a: grad(number)(a).pow(2).sum()))(x),
    "jacrev": lambda x: vmap(jacrev(NET))(x).sum(-1),
    "jacrev in chunks": lambda x: vmap(jacrev(NET, chunk_size=1))(x)[..., 0],
    "jacfwd": lambda x: vmap(jacfwd(NET))(x)[:, 1],
    "hessian": lambda x: vmap(hessian(number))(x)[:, 0],
    "jacfwd of jacfwd": lambda x: vmap(jacfwd(jacfwd(number)))(x)[:, 1],
    "vjp": lambda x: vjp(NET, x)[1](x.exp())[0],
    "vjp of a constant": lambda x: vjp(NET, X)[1](x.exp())[0],
    "jvp": lambda x: jvp(NET, (x,), (x.exp(),))[1],
    "jvp of a constant": lambda x: jvp(NET, (X,), (x.exp(),))[1],
    "jvp under vmap": lambda x: vmap(lambda a: jvp(NET, (a,), (a**2,))[1])(x),
}  # fmt: skip


@pytest.mark.parametrize("name", INSIDE)
def test_torch_func_inside(name: str) -> None:
    """Values, derivatives, and gradients of the parameters that are used inside."""
    f = INSIDE[name]
    parameters = [*NET.parameters(), *MEMBERS.values(), *ROWS[0].parameters()]
    assert close(lifted(f, parameters), nested(f, parameters))


SMALL = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).double()
PARAMETERS = {name: p.detach() for name, p in SMALL.named_parameters()}


def residual(parameters: dict[str, Tensor], of: Callable[[Function], Sequence[Tensor]]) -> Tensor:
    """The mean square of (Δu)² + ∂x u, a loss that is not quadratic in its second derivatives."""
    laplacian, slope = of(lambda x: functional_call(SMALL, parameters, (x,)))
    return (laplacian**2 + slope).pow(2).mean()


def by_jets(u: Function) -> Sequence[Tensor]:
    return ap.evaluate(u, X, C.laplacian, dx)


def by_autograd(u: Function) -> Sequence[Tensor]:
    derivatives = Derivatives(u, X)
    return [derivatives.operator(p.terms) for p in (C.laplacian, dx)]


def double_backward(of: Callable[[Function], Sequence[Tensor]]) -> Tensor:
    moving = {name: p.clone().requires_grad_() for name, p in PARAMETERS.items()}

    def gradient(y: Tensor, again: bool) -> Tensor:
        inputs = list(moving.values())
        found = torch.autograd.grad(y, inputs, create_graph=again, retain_graph=True, materialize_grads=True)
        return torch.cat([g.flatten() for g in found])

    first = gradient(residual(moving, of), True)
    return torch.stack([gradient(g, False) for g in first])


def as_matrix(blocks: dict[str, dict[str, Tensor]]) -> Tensor:
    sizes = {name: p.numel() for name, p in PARAMETERS.items()}
    rows = [torch.cat([blocks[a][b].reshape(sizes[a], -1) for b in sizes], 1) for a in sizes]
    return torch.cat(rows)


HESSIANS: dict[str, Callable[[Function], Function]] = {
    "hessian": hessian,
    "jacrev of jacrev": lambda f: jacrev(jacrev(f)),
    "jacfwd of jacfwd": lambda f: jacfwd(jacfwd(f)),
    "jacrev of jacfwd": lambda f: jacrev(jacfwd(f)),
}


@pytest.mark.parametrize("name", HESSIANS)
def test_hessians_of_a_loss_by_torch_func(name: str) -> None:
    """The loss does not depend on the last bias, so that its rows are zero."""
    found = HESSIANS[name](lambda p: residual(p, by_jets))(PARAMETERS)
    assert torch.allclose(as_matrix(found), double_backward(by_autograd), atol=1e-12)
    assert not any(block.any() for block in found["2.bias"].values())


def test_hessians_of_a_loss_by_double_backward() -> None:
    assert torch.allclose(double_backward(by_jets), double_backward(by_autograd), atol=1e-12)


def test_vmap_around() -> None:
    expected = ap.evaluate(NET, X, C.laplacian)
    over_rows = partial(ap.evaluate, NET)
    assert torch.allclose(vmap(lambda x: over_rows(x, C.laplacian))(X), expected)
    assert torch.allclose(vmap(lambda x: over_rows(x, C.laplacian), in_dims=1, out_dims=1)(X.mT).mT, expected)
    assert torch.allclose(vmap(lambda x: over_rows(x, C.laplacian), chunk_size=2)(X), expected)
    ensemble = vmap(lambda p: ap.evaluate(partial(member, p), X, C.laplacian))(MEMBERS)
    each = [ap.evaluate(net, X, C.laplacian) for net in ROWS]
    assert torch.allclose(ensemble, torch.stack(each))
    found = torch.autograd.grad(ensemble.sin().sum(), MEMBERS["0.weight"])[0]
    for k, net in enumerate(ROWS):
        assert torch.allclose(found[k], torch.autograd.grad(each[k].sin().sum(), net[0].weight)[0])
