"""Rules of one's own: every kind, for everything that can be registered, as right as the same function in torch's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import apolar as ap
from apolar.errors import (
    DetachedError,
    RuleError,
    SingularPoint,
    UnsupportedOperator,
    VerificationError,
)

C = ap.coordinates("x y")
dx, dy = C
X = torch.tensor([[0.3, -0.7], [1.1, 0.4], [-0.2, 0.9]], dtype=torch.float64)
Function = Callable[..., Any]


def by_numpy(function: Function) -> Function:
    """A function of arrays as one of tensors, which autograd cannot follow."""

    def called(*arrays: Tensor, **named: Any) -> Tensor:
        return torch.from_numpy(np.asarray(function(*(x.detach().numpy() for x in arrays), **named)))

    return called


def operator(name: str, function: Function) -> Any:
    """An operator of torch.library, without a backward pass."""
    return torch.library.custom_op(f"apolar_register::{name}", mutates_args=())(function)


def tanh_operator(x: Tensor) -> Tensor:
    return torch.tanh(x)


def gauss_operator(x: Tensor, width: float = 1.0) -> Tensor:
    return torch.exp(-((x / width) ** 2))


class Softplus(torch.autograd.Function):
    """A function of the user in Python."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.log(1 + torch.exp(x))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient * torch.sigmoid(ctx.saved_tensors[0])


def tanh_slope(y: Any, x: Any) -> Any:
    return 1 - y * y


def gauss_slope(y: Any, x: Any, width: float = 1.0) -> Any:
    return y * x * (-2 / width**2)


def once(register: Function, *args: Any, **kwargs: Any) -> Function:
    """Registered when it is first called, so that a fault is one of a test."""
    found: list[Function] = []

    def called(*arguments: Any, **named: Any) -> Any:
        if not found:
            found.append(register(*args, **kwargs))
        return found[0](*arguments, **named)

    return called


elementwise, linear, bilinear = ap.register.elementwise, ap.register.linear, ap.register.bilinear
composite, constant = ap.register.composite, ap.register.constant
tanh = once(elementwise, by_numpy(np.tanh), derivative=tanh_slope)
gauss = once(elementwise, operator("gauss", gauss_operator), derivative=gauss_slope)
floor = once(constant, by_numpy(np.floor))
not_bilinear = once(bilinear, by_numpy(lambda x, y: x * y * y))
smooth = once(linear, by_numpy(lambda x: 0.5 * (x + np.roll(x, 1, axis=-1))))
weighted = once(linear, by_numpy(lambda scale, *, x: scale * x.numpy()), arguments=("x",))
product = once(bilinear, by_numpy(lambda x, y: x * y))

REGISTERED: dict[str, tuple[Function, Function]] = {
    "a Python function": (tanh, torch.tanh),
    "an operator": (once(elementwise, operator("tanh", tanh_operator), derivative=tanh_slope), torch.tanh),
    "an overload": (
        once(elementwise, operator("tanh2", tanh_operator)._opoverload, derivative=tanh_slope),
        torch.tanh,
    ),
    "an operator by its packet": (
        once(elementwise, operator("tanh3", tanh_operator)._opoverload.overloadpacket, derivative=tanh_slope),
        torch.tanh,
    ),
    "an autograd.Function": (
        once(elementwise, Softplus, derivative=lambda y, x: torch.sigmoid(x)),
        nn.functional.softplus,
    ),
    "a parameter": (lambda p: gauss(p, 0.8), lambda p: gauss_operator(p, 0.8)),
    "another parameter": (lambda p: gauss(p, 2.0), lambda p: gauss_operator(p, 2.0)),
    "a formula": (once(elementwise, by_numpy(lambda x: x**2 / 2), formula=lambda x: x * x * 0.5), lambda p: p**2 / 2),
    "with kinks": (
        once(elementwise, by_numpy(np.abs), derivative=lambda y, x: torch.sign(x), kinks=lambda x: x),
        torch.abs,
    ),
    "linear": (smooth, lambda p: 0.5 * (p + p.roll(1, -1))),
    "linear in a named argument": (lambda p: weighted(torch.tensor(3.0), x=p), lambda p: 3 * p),
    "bilinear": (lambda p: product(torch.sin(p), torch.exp(p)), lambda p: torch.sin(p) * torch.exp(p)),
    "composite": (
        once(composite, by_numpy(lambda x: x**3), lambda x: x * x * x),
        lambda p: p**3,
    ),
    "constant": (
        lambda p: floor(p) * p * p,
        lambda p: torch.floor(p) * p * p,
    ),
    "inside of others": (lambda p: torch.exp(tanh(torch.sin(p))), lambda p: torch.exp(torch.tanh(torch.sin(p)))),
    "after itself": (lambda p: tanh(tanh(p)), lambda p: torch.tanh(torch.tanh(p))),
}  # fmt: skip
OPERATORS = {
    "first": (dx, dy),
    "Laplacian": (C.laplacian,),
    "mixed": (C.one, dx * dy, dx**2 * dy),
    "fourth": (dx**4,),
}


@pytest.mark.parametrize("operators", OPERATORS)
@pytest.mark.parametrize("name", REGISTERED)
def test_every_order_is_that_of_the_same_function_in_torch(name: str, operators: str) -> None:
    found, expected = (
        torch.utils._pytree.tree_leaves(ap.evaluate(f, X, *OPERATORS[operators])) for f in REGISTERED[name]
    )
    for a, b in zip(found, expected, strict=True):
        assert torch.allclose(a, b, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", REGISTERED)
def test_values_stay_those_of_the_function(name: str) -> None:
    registered, plainly = REGISTERED[name]
    assert torch.allclose(registered(X), plainly(X), rtol=1e-14)


@pytest.mark.parametrize("kernels", ["eager", "compiled"])
def test_parameters_get_gradients(kernels: str) -> None:
    """In reverse mode through the lifted pass, whatever autograd thinks of the function itself."""
    torch.manual_seed(0)
    net = nn.Linear(2, 4).double()

    def gradient(f: Function) -> Tensor:
        result = ap.evaluate(lambda p: f(net(p)), X, C.laplacian)
        return torch.autograd.grad((result**2).sum(), net.weight)[0]

    with ap.settings(kernels=kernels):  # type: ignore[arg-type]
        assert torch.allclose(gradient(tanh), gradient(torch.tanh), rtol=1e-12)


def total(f: Function) -> Function:
    return lambda x: f(x).sum()


TRANSFORMS: dict[str, Callable[[Function], Any]] = {
    "grad": lambda f: ap.grad(total(f))(X),
    "hessian": lambda f: ap.hessian(total(f))(X),
    "jacobian": lambda f: ap.jacobian(f)(X),
    "vjp": lambda f: ap.vjp(f, X)[1](X),
    "jvp": lambda f: ap.jvp(f, (X,), (X,)),
    "third derivative": lambda f: ap.derivative(f, order=3)(X),
    "torch.func.grad twice": lambda f: torch.func.grad(lambda x: torch.func.grad(total(f))(x).pow(2).sum())(X),
    "torch.func.jvp of grad": lambda f: torch.func.jvp(torch.func.grad(total(f)), (X,), (X,)),
    "vmap of grad": lambda f: torch.func.vmap(torch.func.grad(total(f)))(X),
    "forward mode": lambda f: torch.func.jacfwd(f)(X),
    "autograd": lambda f: torch.autograd.functional.hessian(total(f), X),
}


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_every_transform_follows_a_python_function(transform: str) -> None:
    """Those of torch as well: the rule is its derivative in reverse and in forward mode."""
    found, expected = (torch.utils._pytree.tree_leaves(TRANSFORMS[transform](f)) for f in (tanh, torch.tanh))
    for a, b in zip(found, expected, strict=True):
        assert torch.allclose(a, b, rtol=1e-12, atol=1e-14)


# ----------------------------------------------------------------------------------------------------------- wrong rules

WRONG: dict[str, tuple[Function, int]] = {
    "a wrong sign": (once(elementwise, by_numpy(np.sin), derivative=lambda y, x: -torch.cos(x)), 1),
    "wrong from the second order on": (
        once(elementwise, by_numpy(np.sin), derivative=lambda y, x: torch.cos(x).value + 0 * x),
        2,
    ),
    "one per cent": (once(elementwise, by_numpy(np.sin), derivative=lambda y, x: torch.cos(x) * 1.01), 1),
    "another function": (once(elementwise, by_numpy(np.sin), formula=lambda x: x * x), 1),
    "not linear": (once(linear, by_numpy(lambda x: x**2)), 1),
    "not bilinear": (lambda p: not_bilinear(p, p), 1),
    "other words": (once(composite, by_numpy(np.sin), torch.cos), 0),
    "not constant": (once(constant, by_numpy(np.sin)), 1),
    "half of it": (once(elementwise, by_numpy(np.abs), derivative=lambda y, x: (x > 0).to(torch.float64)), 1),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_rule_is_found_at_its_first_call_and_at_later_ones(name: str) -> None:
    function, order = WRONG[name]
    for _ in range(2):
        with pytest.raises(VerificationError, match=rf"is wrong: at order {order} .*Correct the rule"):
            ap.evaluate(function, X, dx**2)


def test_another_parameter_is_judged_again() -> None:
    """A rule that is right for one exponent only."""
    power = elementwise(by_numpy(lambda x, n: x**n), derivative=lambda y, x, n: 3 * x * x)
    assert torch.allclose(ap.derivative(lambda x: power(x, n=3))(X), 3 * X**2)
    with pytest.raises(VerificationError, match="at order 1"):
        ap.derivative(lambda x: power(x, n=2))(X)


def test_another_range_is_judged_again() -> None:
    """A rule that is right on one branch only."""
    branched = elementwise(by_numpy(lambda x: np.where(x < 5, np.sin(x), x)), derivative=lambda y, x: torch.cos(x))
    assert torch.allclose(ap.derivative(branched)(X), torch.cos(X))
    with pytest.raises(VerificationError, match="at order 1"):
        ap.derivative(branched)(X + 10)


def test_kinks_are_no_fault_of_a_rule() -> None:
    """At 0 itself, among other entries; the one-sided derivatives differ there."""
    relu = elementwise(
        by_numpy(lambda x: np.maximum(x, 0)), derivative=lambda y, x: (x > 0).to(torch.float64), kinks=lambda x: x
    )
    at = torch.tensor([0.0, 1.0, -1.0], dtype=torch.float64)
    assert ap.derivative(relu)(at).tolist() == [0, 1, 0]
    with pytest.raises(SingularPoint, match="called has no derivative"):
        ap.evaluate(relu, at.unsqueeze(-1), ap.coordinates("x")["x"], check_finite=True)


# -------------------------------------------------------------------------------------------------------------- refusals


def test_a_function_has_one_rule_unless_the_second_replaces_it() -> None:
    with pytest.raises(RuleError, match=r"tanh has a rule already, of the kind elementwise: pass replacing=True"):
        elementwise(torch.tanh, derivative=tanh_slope)
    function = constant(by_numpy(np.sin))
    with pytest.raises(RuleError, match="has a rule already, of the kind constant"):
        constant(function)
    again = elementwise(function, derivative=lambda y, x: torch.cos(x), replacing=True)
    assert torch.allclose(ap.derivative(again)(X), torch.cos(X))


def test_what_cannot_be_registered() -> None:
    with pytest.raises(RuleError, match="give one of derivative"):
        elementwise(by_numpy(np.sin))
    with pytest.raises(RuleError, match="give one of derivative"):
        elementwise(by_numpy(np.sin), derivative=tanh_slope, formula=torch.sin)
    with pytest.raises(RuleError, match="a rule is for a function, got str"):
        linear("tanh")  # type: ignore[arg-type]


def test_a_gradient_is_not_lost_where_autograd_cannot_follow() -> None:
    weight = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    detaching = linear(lambda x: 2 * x.detach())
    with pytest.raises(DetachedError, match=r"called gives a result without gradient.*register_autograd"):
        ap.evaluate(lambda p: smooth(weight * p), X, dx)
    assert torch.equal(
        ap.grad(lambda x: detaching(x).sum())(X), torch.full_like(X, 2.0)
    )  # forward mode follows the rule
    with pytest.raises(DetachedError, match="without gradient"):
        torch.func.grad(lambda x: detaching(x).sum())(X)
    scaled = elementwise(by_numpy(lambda x, a: np.sin(a * x)), derivative=lambda y, x, a: torch.cos(a * x) * a)
    with pytest.raises(UnsupportedOperator, match="a parameter requires gradients"):
        scaled(X, a=weight)
    with pytest.raises(UnsupportedOperator, match="Only its first argument may depend on the coordinates"):
        ap.evaluate(lambda p: scaled(X, a=p), X, dx)
