"""Jets: what they answer about themselves, how functions find their rules, and evaluations inside of each other."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import apolar as ap
from apolar.engine.context import Context
from apolar.engine.jet import RULES, Jet, belongs, component_list, innermost, jets, plain, value
from apolar.errors import ApolarError, DetachedError, FunctionError, UnsupportedOperator
from apolar.evaluation.evaluate import read
from apolar.evaluation.seeds import lift

C = ap.coordinates("x y")
dx, dy = C
X = torch.tensor([[0.3, -0.7], [1.1, 0.4], [-0.2, 0.9]], dtype=torch.float64)
UNITS = torch.eye(2, dtype=torch.float64)


def jet(x: Tensor = X, context: Context | None = None) -> Jet:
    """The points as a jet over the Laplacian."""
    return lift(ap.algebra(C.laplacian), x, [unit.expand_as(x).to(x.dtype) for unit in UNITS], context)


def laplacian(f: Callable[[Tensor], Tensor]) -> Tensor:
    return ap.evaluate(f, X, C.laplacian)


# ----------------------------------------------------------------------------------------------------------------- facts

FACTS: dict[str, Callable[[Tensor], Any]] = {
    "shape": lambda x: x.shape,
    "size()": lambda x: x.size(),
    "size(1)": lambda x: x.size(1),
    "ndim": lambda x: x.ndim,
    "dim()": lambda x: x.dim(),
    "numel()": lambda x: x.numel(),
    "len": len,
    "dtype": lambda x: x.dtype,
    "device": lambda x: x.device,
    "layout": lambda x: x.layout,
    "is_cuda": lambda x: x.is_cuda,
    "itemsize": lambda x: x.itemsize,
    "element_size()": lambda x: x.element_size(),
    "is_floating_point()": lambda x: x.is_floating_point(),
    "is_complex()": lambda x: x.is_complex(),
    "torch.is_floating_point": torch.is_floating_point,
    "torch.is_tensor": torch.is_tensor,
    "torch.numel": torch.numel,
    "stride()": lambda x: x.stride(),
    "is_contiguous()": lambda x: x.is_contiguous(),
    "requires_grad": lambda x: x.requires_grad,
    "grad": lambda x: x.grad,
    "isinstance": lambda x: isinstance(x, Tensor),
    "the length of its rows": lambda x: [len(row) for row in x],
    "broadcast": lambda x: torch.broadcast_shapes(x.shape, (1, 2)),
    "result_type": lambda x: torch.result_type(x, 1.0),
    "text": str,
    "formatted": lambda x: f"{x}",
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("name", FACTS)
def test_facts_are_those_of_the_value(name: str, dtype: torch.dtype) -> None:
    fact, x = FACTS[name], X.to(dtype)
    assert fact(jet(x)) == fact(x)


def test_a_jet_holds_its_components() -> None:
    lifted = jet()
    assert lifted.components.shape == (lifted.algebra.size, *X.shape)
    assert torch.equal(lifted.value, X)
    assert torch.equal(lifted.components[1], torch.tensor([1.0, 0.0], dtype=torch.float64).expand_as(X))
    assert not lifted.components[3].any()
    again = lifted.like(2 * lifted.components)
    assert (again.context, again.algebra) == (lifted.context, lifted.algebra)


def test_requires_grad_follows_the_components() -> None:
    assert not jet().requires_grad
    assert jet(X.clone().requires_grad_()).requires_grad
    weight = torch.ones(2, requires_grad=True, dtype=torch.float64)
    assert (jet() * weight).requires_grad
    assert not jet().is_leaf


# --------------------------------------------------------------------------------------------------- by value, not by jet

QUESTIONS: dict[str, Callable[[Tensor], Any]] = {
    ">": lambda x: x > 0.3,
    ">= a tensor": lambda x: x >= x.flip(0),
    "a number <": lambda x: 0.3 < x,  # noqa: SIM300
    "==": lambda x: x == X,
    "!=": lambda x: x != X,
    "torch.gt": lambda x: torch.gt(x, 0),
    "isclose": lambda x: torch.isclose(x, X),
    "isnan": torch.isnan,
    "isfinite": torch.isfinite,
    "sign": torch.sign,
    "argmax": lambda x: x.argmax(0),
    "argsort": lambda x: x.argsort(0),
    "nonzero": lambda x: (x > 0).nonzero(),
    "floor": torch.floor,
    "round": torch.round,
    "any": lambda x: (x > 0).any(),
    "count_nonzero": torch.count_nonzero,
    "searchsorted": lambda x: torch.searchsorted(torch.linspace(-1, 1, 5).double(), x),
    "to integers": lambda x: x.long(),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_answers_are_plain_tensors(name: str) -> None:
    found, expected = (QUESTIONS[name](x) for x in (jet(), X))
    assert not isinstance(found, Jet)
    assert torch.equal(found, expected)


TRUTHS: dict[str, Callable[[Tensor], bool]] = {
    "bool": lambda x: bool(x[0, 0]),
    "while": lambda x: next(k for k in range(9) if k * x.abs().sum() > 5) == 2,
    "not": lambda x: not x[0, 0],
    "and": lambda x: bool(x[0, 0] > 0 and x[0, 1] > 0),
    "chained": lambda x: bool(0 < x[0, 0] < 1),
    "equal": lambda x: torch.equal(x, X),
    "allclose": lambda x: torch.allclose(x, X),
    "in": lambda x: 0.3 in x,
    "all": lambda x: bool((x == x).all()),
    "int": lambda x: int(x[1, 0]) == 1,
}


@pytest.mark.parametrize("name", TRUTHS)
def test_truth_is_that_of_the_value(name: str) -> None:
    assert TRUTHS[name](jet()) is TRUTHS[name](X)


def if_else(x: Tensor) -> Tensor:
    return x[:1] ** 2 if x[0] > 0 else x[1:] ** 3


def while_loop(x: Tensor) -> Tensor:
    y = x[:1]
    while y.abs() < 5:
        y = y * 2 + x[1:] ** 2
    return y


def recursion(x: Tensor, depth: int = 3) -> Tensor:
    return x[:1] * recursion(x.flip(0), depth - 1) if depth and x[0] > -1 else x[1:]


def largest(x: Tensor) -> Tensor:
    return max(x[:1] ** 2, x[1:] ** 2)


def by_rank(x: Tensor) -> Tensor:
    low, high = sorted([x[:1], x[1:]])
    return low**2 * high


def power_by_the_value(x: Tensor) -> Tensor:
    return x[:1] ** (3 if x.sum() > 0.5 else 2)


def iterated(x: Tensor) -> Tensor:
    total = 0
    for k, entry in enumerate(x, start=1):
        total = total + entry**k
    return total.reshape(1)


def match(x: Tensor) -> Tensor:
    match bool(x[0] > 0), len(x):
        case True, 2:
            return x.prod().reshape(1) ** 2
        case _:
            return x.sum().reshape(1) ** 4


CONTROL = [if_else, while_loop, recursion, largest, by_rank, power_by_the_value, iterated, match]


@pytest.mark.parametrize("f", CONTROL, ids=lambda f: f.__name__)
def test_control_flow_takes_the_branch_of_the_value(f: Callable[[Tensor], Tensor]) -> None:
    for row in X:
        expected = torch.func.jacfwd(torch.func.jacfwd(f))(row).diagonal(dim1=-2, dim2=-1).sum(-1)
        found = ap.evaluate(f, row, 1, C.laplacian)
        assert torch.equal(found[0], f(row))
        assert torch.allclose(found[1], expected)


# ------------------------------------------------------------------------------------------------------------- dispatch

SPELLINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "torch": torch.sin,
    "a method": lambda x: x.sin(),
    "Tensor.sin": Tensor.sin,
    "input=": lambda x: torch.sin(input=x),
    "torch.special": lambda x: -torch.special.expit(x) + torch.sigmoid(x) + torch.sin(x),
    "in place": lambda x: (x * 1).sin_(),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_every_spelling_finds_its_rule(name: str) -> None:
    assert torch.allclose(laplacian(SPELLINGS[name]), -torch.sin(X))


ARGUMENTS: dict[str, Callable[[Tensor], Tensor]] = {
    "a method": lambda x: x.mul(x),
    "an operator": lambda x: x * x,
    "a plain tensor on the left": lambda x: X * x * x / X,
    "a number on the left": lambda x: 2.0 * x * x / 2,
    "a list": lambda x: torch.stack([x, x]).prod(0),
    "a list among others": lambda x: torch.einsum("...i,...i->...i", [x, x]),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_jets_are_found_in_every_argument(name: str) -> None:
    assert torch.allclose(laplacian(ARGUMENTS[name]), torch.full_like(X, 2.0))


W = UNITS + 0.1
NAMED: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "mul": (lambda x: torch.mul(input=x, other=x), lambda x: x * x),
    "mul, the other first": (lambda x: torch.mul(other=x, input=X), lambda x: X * x),
    "a method": (lambda x: x.mul(other=x), lambda x: x * x),
    "add": (lambda x: torch.add(x, other=x**2, alpha=3), lambda x: x + 3 * x**2),
    "sub": (lambda x: torch.sub(x, other=x**2), lambda x: x - x**2),
    "div": (lambda x: torch.div(1 + x, other=3 + x), lambda x: (1 + x) / (3 + x)),
    "pow": (lambda x: torch.pow(x, exponent=3), lambda x: x**3),
    "pow of a number": (lambda x: torch.pow(2.0, exponent=x), lambda x: 2.0**x),
    "maximum": (lambda x: torch.maximum(x**2, other=x**3), lambda x: torch.maximum(x**2, x**3)),
    "atan2": (lambda x: torch.atan2(x, other=2 + x), lambda x: torch.atan2(x, 2 + x)),
    "where": (lambda x: torch.where(x > 0, input=x**2, other=x**3), lambda x: torch.where(x > 0, x**2, x**3)),
    "where, all": (lambda x: torch.where(condition=x > 0, input=x**2, other=x), lambda x: torch.where(x > 0, x**2, x)),
    "matmul": (lambda x: torch.matmul(x**2, other=W), lambda x: x**2 @ W),
    "mm": (lambda x: torch.mm(x**2, mat2=W), lambda x: x**2 @ W),
    "addmm": (lambda x: torch.addmm(x, mat1=x**2, mat2=W), lambda x: x + x**2 @ W),
    "addcmul": (lambda x: torch.addcmul(x, tensor1=x, tensor2=x, value=2), lambda x: x + 2 * x * x),
    "lerp": (lambda x: torch.lerp(x, end=x**2, weight=0.3), lambda x: 0.7 * x + 0.3 * x**2),
    "linear": (lambda x: F.linear(input=x * x, weight=W), lambda x: x * x @ W.mT),
    "clamp": (lambda x: torch.clamp(input=x**2, max=0.5), lambda x: torch.clamp(x**2, max=0.5)),
    "cat": (lambda x: torch.cat(tensors=[x**2, x], dim=-1), lambda x: torch.cat([x**2, x], -1)),
    "softmax": (lambda x: torch.softmax(input=x, dim=-1), lambda x: torch.softmax(x, -1)),
    "sum": (lambda x: torch.sum(input=x**2, dim=-1, keepdim=True), lambda x: (x**2).sum(-1, keepdim=True)),
    "reshape": (lambda x: torch.reshape(x**2, shape=(3, 2, 1)), lambda x: (x**2)[:, :, None]),
    "gather": (lambda x: torch.gather(x**2, dim=1, index=torch.ones(3, 1).long()), lambda x: x[:, 1:] ** 2),
    "mse_loss": (lambda x: F.mse_loss(input=x, target=x**2, reduction="none"), lambda x: (x - x**2) ** 2),
}


@pytest.mark.parametrize("name", NAMED)
def test_arguments_can_be_given_by_name(name: str) -> None:
    named, by_position = NAMED[name]
    assert torch.allclose(named(X), by_position(X))
    assert torch.allclose(laplacian(named), laplacian(by_position))


def test_rules_can_be_added(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule is called with the innermost jet, the function, and its arguments."""
    calls: list[tuple[Any, ...]] = []

    def rule(inner: Jet, func: Any, x: Jet, *args: Any, **kwargs: Any) -> Tensor:
        calls.append((inner is x, func, args, kwargs))
        return x * x

    monkeypatch.setitem(RULES, torch.fft.hfft, rule)
    assert torch.allclose(laplacian(lambda x: torch.fft.hfft(x, 7, norm="ortho")), torch.full_like(X, 2.0))
    assert calls == [(True, torch.fft.hfft, (7,), {"norm": "ortho"})]


# -------------------------------------------------------------------------------------------------------------- refusals


@torch.library.custom_op("apolar_jet_tests::unknown", mutates_args=())
def unknown(x: Tensor) -> Tensor:
    """An operator without a rule."""
    return x.clone()


@unknown.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


UNSUPPORTED: dict[str, tuple[Callable[[Tensor], Any], str]] = {
    "an operator of the user": (unknown, "unknown"),
    "out=": (lambda x: torch.sin(x, out=torch.empty_like(X)), "sin"),
    "requires_grad_": (lambda x: x.requires_grad_(False), "requires_grad_"),
    "torch.autograd.grad": (lambda x: torch.autograd.grad(x.sum(), x), "grad"),
    "a hook": (lambda x: x.register_hook(print), "register_hook"),
    "an attribute": (lambda x: x._version, "_version"),
    "setting an attribute": (lambda x: setattr(x, "data", X), "data"),
    "the memory": (lambda x: x.data_ptr(), "data_ptr"),
    "the storage": (lambda x: x.untyped_storage(), "untyped_storage"),
}
DETACHED: dict[str, tuple[Callable[[Tensor], Any], str]] = {
    "item": (lambda x: x.sum().item(), "item"),
    "float": (lambda x: float(x.sum()), "__float__"),
    "tolist": (lambda x: x.tolist(), "tolist"),
    "numpy": (lambda x: x.numpy(), "numpy"),
    "detach": (lambda x: x.detach(), "detach"),
    "data": (lambda x: x.data, ".data"),
    "a parameter": (torch.nn.Parameter, "detach"),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_cannot_be_lifted_is_refused_by_name(name: str) -> None:
    f, function = UNSUPPORTED[name]
    with pytest.raises(UnsupportedOperator, match=rf"no rule for \S*{function}\S* at order 2"):
        f(jet())


@pytest.mark.parametrize("name", DETACHED)
def test_what_would_lose_derivatives_is_refused_by_name(name: str) -> None:
    f, function = DETACHED[name]
    with pytest.raises(DetachedError, match=rf"^\S*{function} takes a value .* torch functions .* constant"):
        f(jet())


def calls_it_deep_inside(x: Tensor) -> Tensor:
    return torch.nn.Sequential(torch.nn.Tanh(), torch.nn.Identity())(unknown(x) * 2)


def test_the_error_shows_the_line_of_the_user() -> None:
    with pytest.raises(UnsupportedOperator) as caught:
        laplacian(calls_it_deep_inside)
    first = inspect.getsourcelines(calls_it_deep_inside)[1]
    message = str(caught.value)
    assert f"{__file__}:{first + 1}: return torch.nn.Sequential" in message
    assert "unknown at order 2" in message
    assert "ap.supported_operators()" in message


COPIES: dict[str, Callable[[Tensor], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
}


@pytest.mark.parametrize("name", COPIES)
def test_copies_are_equal_or_refused(name: str) -> None:
    """torch itself copies leaves only; what must not happen is a copy that has lost its derivatives."""
    lifted = jet()
    try:
        found = COPIES[name](lifted)
    except (ApolarError, RuntimeError):
        return
    assert torch.equal(found.components, lifted.components)
    assert found.context is lifted.context


@pytest.mark.parametrize("name", COPIES)
def test_copies_inside_of_a_function_are_right_or_an_error_of_apolar(name: str) -> None:
    try:
        found = laplacian(lambda x: COPIES[name](x * x))
    except ApolarError:
        return
    assert torch.allclose(found, torch.full_like(X, 2.0))


def test_clones_keep_their_derivatives() -> None:
    assert torch.allclose(laplacian(lambda x: (x * x).clone()), torch.full_like(X, 2.0))


# ------------------------------------------------------------------------------------------------------- nested evaluations


def test_the_innermost_evaluation_acts_first() -> None:
    outer = jet()
    inner = jet(outer)
    assert innermost((outer, inner), {}) is inner
    assert innermost((outer, 1.0), {"weight": [inner]}) is inner
    assert list(jets([outer, (1, {"a": inner}), X])) == [outer, inner]
    product = outer * inner
    assert product.context is inner.context
    assert isinstance(product.components, Jet)
    assert product.components.context is outer.context
    assert torch.equal(plain(product), X * X)


def test_jets_of_other_evaluations_are_constants() -> None:
    outer, inner = jet(), jet()
    assert belongs(outer, outer)
    assert not belongs(outer, inner)
    assert not belongs(X, inner)
    assert value(inner, inner) is not inner
    assert value(outer, inner) is outer
    assert component_list(outer, inner) == [outer, 0, 0, 0]
    assert not read(inner.algebra, outer, [C.laplacian], inner.context)[0].any()


D = ap.derivative
CONFUSED: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[float], float]]] = {
    "d/dx x·(d/dy (x + y))": (lambda x: x * D(lambda y: x + y)(torch.ones_like(x)), lambda x: 1.0),
    "d/dx x·(d/dy x·y)": (lambda x: x * D(lambda y: x * y)(torch.ones_like(x)), lambda x: 2 * x),
    "d/dx (d/dy x·y² at y = x)": (lambda x: D(lambda y: x * y**2)(x), lambda x: 4 * x),
    "d/dx (d/dy x²·y² at y = 3x)": (lambda x: D(lambda y: x**2 * y**2)(3 * x), lambda x: 18 * x**2),
    "an inner function that ignores its variable": (lambda x: D(lambda y: x**3 + 0 * y)(x), lambda x: 0.0),
    "the outer variable alone": (lambda x: D(lambda y: y * 0 + x)(x) + x, lambda x: 1.0),
    "three levels": (lambda x: D(lambda y: D(lambda z: x * y**2 * z**3)(x))(x), lambda x: 24 * x**3),
    "three levels of one variable": (lambda x: D(D(lambda z: x * z**3))(x), lambda x: 12 * x),
    "an inner second derivative": (lambda x: D(lambda y: x**3 * y**2, 2)(torch.ones_like(x)), lambda x: 6 * x**2),
    "an inner gradient": (lambda x: ap.grad(lambda y: (x * y**2).sum())(x), lambda x: 4 * x),
    "an inner Hessian": (lambda x: ap.hessian(lambda y: (x * y**3).sum())(x.reshape(1)).reshape(x.shape), lambda x: 12 * x),
    "an inner product with a Jacobian": (lambda x: ap.jvp(lambda y: x * y**2, (x,), (x,))[1], lambda x: 6 * x**2),
    "an inner cotangent": (lambda x: ap.vjp(lambda y: x * y**2, x)[1](x)[0], lambda x: 6 * x**2),
}  # fmt: skip


@pytest.mark.parametrize("name", CONFUSED)
def test_perturbations_are_not_confused(name: str) -> None:
    f, exact = CONFUSED[name]
    for x in (0.7, -1.3):
        assert float(D(f)(x)) == pytest.approx(exact(x), rel=1e-12)


def wave(p: Tensor) -> Tensor:
    return torch.sin(p[..., :1] * p[..., 1:]) * torch.exp(p[..., :1])


NESTED: dict[str, tuple[Callable[[Tensor], Tensor], ap.Operator]] = {
    "∂y ∂x": (lambda p: ap.evaluate(lambda q: ap.evaluate(wave, q, dx), p, dy), dx * dy),
    "Δ Δ": (lambda p: ap.evaluate(lambda q: ap.evaluate(wave, q, C.laplacian), p, C.laplacian), C.bilaplacian),
    "∂x ∂x ∂x": (
        lambda p: ap.evaluate(lambda q: ap.evaluate(lambda r: ap.evaluate(wave, r, dx), q, dx), p, dx),
        dx**3,
    ),
    "∂x of a sum": (
        lambda p: ap.evaluate(lambda q: sum(ap.evaluate(wave, q, dx**2, dy**2)), p, dx),
        dx**3 + dx * dy**2,
    ),
}


@pytest.mark.parametrize("name", NESTED)
def test_nested_evaluations_multiply_operators(name: str) -> None:
    nested, operator = NESTED[name]
    assert torch.allclose(nested(X), ap.evaluate(wave, X, operator), rtol=1e-11)


def test_an_evaluation_inside_of_a_function_of_the_same_point() -> None:
    """∂x (u·Δu), with the Laplacian taken inside."""

    def f(p: Tensor) -> Tensor:
        return wave(p) * ap.evaluate(wave, p, C.laplacian)

    u, ux, lap, lap_x = ap.evaluate(wave, X, 1, dx, C.laplacian, dx * C.laplacian)
    assert torch.allclose(ap.evaluate(f, X, dx), ux * lap + u * lap_x)


def test_a_function_that_fails_on_jets_only_is_reported() -> None:
    with pytest.raises(FunctionError, match=r"works on plain tensors.*TypeError"):
        laplacian(lambda x: x if type(x) is Tensor else x + None)
