"""Operators of the user by nested reverse mode: right at every order that their backward pass supports, or refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import apolar as ap
from apolar.errors import DetachedError, UnsupportedOperator
from apolar.evaluation.seeds import lift
from apolar.rules.generic import by_reverse_mode
from tests.oracles import chebyshev
from tests.oracles.jets import jet_derivatives, jet_gradient

C = ap.coordinates("x y")
dx, dy = C
X = torch.tensor([[0.3, -0.7], [1.1, 0.4], [-0.2, 0.9]], dtype=torch.float64)
ALGEBRAS: dict[str, tuple[ap.Operator, ...]] = {
    **{f"order {k}": (dx**k,) for k in range(1, 5)},
    "Laplacian": (C.laplacian,),
    "mixed": (C.one, dx * dy, dx**2 * dy),
    "biharmonic": (C.bilaplacian,),
    "heat": (dy - 0.3 * dx**2, dx),
}
algebras = pytest.mark.parametrize("name", ALGEBRAS)

# ------------------------------------------------------------------------------------------------ operators of the user


@torch.library.custom_op("apolar_generic::wave", mutates_args=())
def wave(x: Tensor, w: Tensor, scale: float = 1.0) -> Tensor:
    """scale · sin(x w), of real or complex numbers."""
    return scale * torch.sin(x * w)


def _wave_backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
    x, w = ctx.saved_tensors
    slope = gradient * (ctx.scale * torch.cos(x * w)).conj()
    return (slope * w.conj()).sum_to_size(x.shape), (slope * x.conj()).sum_to_size(w.shape), None


def _save(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    *tensors, ctx.scale = inputs
    ctx.save_for_backward(*tensors)


wave.register_autograd(_wave_backward, setup_context=_save)


@torch.library.custom_op("apolar_generic::several", mutates_args=())
def several(x: Tensor, y: Tensor, *, power: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """x yᵖ, exp(x), and which entry of x is the largest."""
    return x * y**power, torch.exp(x), x.argmax(-1)


def _several_backward(ctx: Any, first: Tensor, second: Tensor, _: Any) -> tuple[Tensor, Tensor]:
    x, y, exp = ctx.saved_tensors
    return first * y**ctx.power + second * exp, first * x * ctx.power * y ** (ctx.power - 1)


def _save_several(ctx: Any, inputs: Any, keyword_only_inputs: Any, output: Any) -> None:
    ctx.power = keyword_only_inputs["power"]
    ctx.save_for_backward(*inputs, output[1])


several.register_autograd(_several_backward, setup_context=_save_several)


@torch.library.custom_op("apolar_generic::total", mutates_args=())
def total(tensors: list[Tensor]) -> Tensor:
    """Σ x³ over a list."""
    return torch.stack([x**3 for x in tensors]).sum(0)


total.register_autograd(
    lambda ctx, gradient: [gradient * 3 * x**2 for x in ctx.saved_tensors],
    setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs[0]),
)


def several_plain(x: Tensor, y: Tensor, power: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    return x * y**power, torch.exp(x), x.argmax(-1)


W = torch.tensor([1.3, -0.4], dtype=torch.float64)
Z = torch.tensor([1.3 + 0.5j, -0.4 + 1.0j])

Function = Callable[[Tensor], Any]
OF_THE_USER: dict[str, tuple[Function, Function]] = {
    "one input": (lambda p: wave(p, W), lambda p: torch.sin(p * W)),
    "both inputs": (lambda p: wave(p, p.flip(-1) ** 2, 0.7), lambda p: 0.7 * torch.sin(p * p.flip(-1) ** 2)),
    "the second alone": (lambda p: wave(W, p * p), lambda p: torch.sin(W * p * p)),
    "broadcast": (lambda p: wave(p, p[..., :1]), lambda p: torch.sin(p * p[..., :1])),
    "inside of others": (lambda p: torch.exp(wave(torch.tanh(p), W)), lambda p: torch.exp(torch.sin(torch.tanh(p) * W))),
    "after itself": (lambda p: wave(wave(p, W), W), lambda p: torch.sin(torch.sin(p * W) * W)),
    "complex": (lambda p: wave(p * (1 + 2j), Z).abs(), lambda p: torch.sin(p * (1 + 2j) * Z).abs()),
    "several outputs": (lambda p: several(p, p.flip(-1))[:2], lambda p: several_plain(p, p.flip(-1))[:2]),
    "by name": (lambda p: several(p, p.flip(-1), power=3)[0], lambda p: p * p.flip(-1) ** 3),
    "an output of integers": (
        lambda p: p * several(p, p)[2].unsqueeze(-1),
        lambda p: p * p.argmax(-1, keepdim=True),
    ),
    "a list": (lambda p: total([p, p.sin(), W.expand_as(p)]), lambda p: p**3 + torch.sin(p) ** 3 + W**3),
}  # fmt: skip


@algebras
@pytest.mark.parametrize("function", OF_THE_USER)
def test_operators_of_the_user_are_as_right_as_their_formula(function: str, name: str) -> None:
    by_operator, plainly = OF_THE_USER[function]
    found, expected = (
        torch.utils._pytree.tree_leaves(ap.evaluate(f, X, *ALGEBRAS[name])) for f in (by_operator, plainly)
    )
    for a, b in zip(found, expected, strict=True):
        assert torch.allclose(a, b, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("function", OF_THE_USER)
def test_the_formulas_themselves(function: str) -> None:
    """Against interpolation, which calls neither jets nor backward passes."""
    direction = [torch.tensor([[0.6, -1.0]], dtype=torch.float64).expand_as(X)]
    exact = chebyshev.derivatives(OF_THE_USER[function][1], [X], direction, [None])
    found = jet_derivatives(OF_THE_USER[function][0], [X], direction, [None], [(2, 0), (4, 0)])
    for index, derivative in found.items():
        assert torch.allclose(derivative, exact[index].value, rtol=1e-7, atol=1e-7)


class Layers(nn.Module):
    """An operator of the user between two layers; weight and frequency are parameters."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(2, 4), nn.Linear(4, 2)
        self.frequency, self.function = nn.Parameter(torch.linspace(0.5, 2, 4)), function

    def forward(self, p: Tensor) -> Tensor:
        return self.last(self.function(self.first(p), self.frequency))


@algebras
def test_parameters_and_points_get_gradients(name: str) -> None:
    torch.manual_seed(0)
    lifted = Layers(wave).double()
    plainly = Layers(lambda x, w: torch.sin(x * w)).double()
    plainly.load_state_dict(lifted.state_dict())

    def gradients(net: nn.Module) -> tuple[Tensor, ...]:
        points = X.clone().requires_grad_()
        results = ap.evaluate(net, points, *ALGEBRAS[name])
        loss = sum((y**2).sum() for y in (results if isinstance(results, tuple) else (results,)))
        return torch.autograd.grad(loss, [points, *net.parameters()], materialize_grads=True)  # type: ignore[arg-type]

    for a, b in zip(gradients(lifted), gradients(plainly), strict=True):
        assert torch.allclose(a, b, rtol=1e-9, atol=1e-11)


def test_modes_and_dtypes() -> None:
    with torch.no_grad():
        found = ap.evaluate(lambda p: wave(p, W), X, dx**2)
    assert not found.requires_grad
    assert torch.allclose(found, ap.evaluate(lambda p: torch.sin(p * W), X, dx**2))
    single = ap.evaluate(lambda p: wave(p, W.float()), X.float(), dx**3)
    assert single.dtype == torch.float32
    assert torch.allclose(single.double(), ap.evaluate(lambda p: torch.sin(p * W), X, dx**3), atol=1e-5)
    points = X + 0.5j * X.flip(0)
    complex_ = ap.evaluate(lambda p: wave(p, Z.to(p.dtype)), points, dx**2)
    assert torch.allclose(complex_, ap.evaluate(lambda p: torch.sin(p * Z), points, dx**2))


def test_an_evaluation_inside_of_another_is_refused() -> None:
    with pytest.raises(UnsupportedOperator, match=r"apolar_generic::wave.*all operators at once"):
        ap.evaluate(lambda p: ap.evaluate(lambda q: wave(q, W), p, dx), X, dy)
    constant = ap.evaluate(lambda p: p * ap.evaluate(lambda q: wave(q, W), X, dx), X, dx)
    assert torch.allclose(constant[:, 0], W[0] * torch.cos(X[:, 0] * W[0]))


# ------------------------------------------------------------------------------------------------------- ATen operators

A = torch.tensor([[1.4, 0.3, -0.2], [0.1, 0.8, 0.5], [-0.6, 0.2, 1.1]], dtype=torch.float64)
aten = torch.ops.aten
ATEN: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "sinh": (aten.sinh.default, (A,)),
    "mul": (aten.mul.Tensor, (A, A.mT)),
    "mm": (aten.mm.default, (A, A.mT)),
    "div": (aten.div.Tensor, (A.mT, A * A + 1)),
    "addmm": (aten.addmm.default, (A[0], A, A.mT)),
    "sum": (aten.sum.dim_IntList, (A, [0], True)),
    "logsumexp": (aten.logsumexp.default, (A, [1])),
    "cumsum": (aten.cumsum.default, (A, 0)),
    "inverse": (aten.linalg_inv_ex.default, (A,)),
    "convolution": (
        aten.convolution.default,
        (A.reshape(1, 1, 3, 3), A[:2, :2].reshape(1, 1, 2, 2), None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1),
    ),
    "complex exp": (aten.exp.default, (A * (0.3 + 1j),)),
    "complex product": (aten.mul.Tensor, (A * (0.3 + 1j), (A * (0.2 - 1j)).mT)),
}


def through_pytorch(function: Any, arguments: tuple[Any, ...], moving: int) -> Callable[..., Any]:
    """The operator by its nested backward passes, as a function of its first tensors."""

    def lifted(*inputs: Any) -> Any:
        jet = next(x for x in inputs if isinstance(x, Tensor) and hasattr(x, "components"))
        return by_reverse_mode(jet, function, *inputs, *arguments[moving:])

    return lambda *inputs: (lifted if any(hasattr(x, "components") for x in inputs) else function)(*inputs)


@pytest.mark.parametrize("name", ATEN)
def test_operators_of_pytorch(name: str) -> None:
    """What by_reverse_mode finds is what the operator's own rule finds, which has tests elsewhere."""
    function, arguments = ATEN[name]
    tensors = [x for x in arguments if isinstance(x, Tensor)]
    g = torch.Generator().manual_seed(0)
    v, w = ([torch.randn(x.shape, generator=g, dtype=x.dtype) for x in tensors] for _ in range(2))
    indices = [(0, 0), (1, 0), (4, 0), (1, 1), (2, 1)]
    expected = jet_derivatives(lambda *x: function(*x, *arguments[len(x) :]), tensors, v, w, indices)
    generic = through_pytorch(function, arguments, len(tensors))
    for index, derivative in jet_derivatives(generic, tensors, v, w, indices).items():
        assert torch.allclose(derivative, expected[index], rtol=1e-9, atol=1e-9)
    c = torch.randn(len(expected[2, 1]), generator=g, dtype=torch.float64)
    assert torch.allclose(jet_gradient(generic, tensors, v, w, (2, 0), c), c @ expected[2, 1], rtol=1e-9)


# ---------------------------------------------------------------------------------------------------------- refusals


@torch.library.custom_op("apolar_generic::silent", mutates_args=())
def silent(x: Tensor) -> Tensor:
    """Without a backward pass; constant where x is negative."""
    return torch.relu(x) ** 2


@torch.library.custom_op("apolar_generic::wrong", mutates_args=())
def wrong(x: Tensor) -> Tensor:
    """With a backward pass that is wrong."""
    return torch.sin(x)


wrong.register_autograd(lambda ctx, gradient: gradient)


@torch.library.custom_op("apolar_generic::once", mutates_args=())
def once(x: Tensor) -> Tensor:
    """With a backward pass that is right, and cannot be differentiated."""
    return torch.sin(x)


@torch.library.custom_op("apolar_generic::slope", mutates_args=())
def slope(x: Tensor, gradient: Tensor) -> Tensor:
    """The backward pass of ``once``."""
    return gradient * torch.cos(x)


once.register_autograd(
    lambda ctx, gradient: slope(ctx.saved_tensors[0], gradient),
    setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs),
)


@torch.library.custom_op("apolar_generic::written", mutates_args={"x"})
def written(x: Tensor) -> None:
    """In place."""
    x.mul_(2)


class Cube(torch.autograd.Function):
    """A function of the user in Python: PyTorch runs its forward pass without gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return 3 * ctx.saved_tensors[0] ** 2 * gradient


REFUSED: dict[str, tuple[Function, ap.Operator, str]] = {
    "without a backward pass": (silent, dx, "apolar_generic::silent"),
    "a wrong backward pass": (wrong, dx, "apolar_generic::wrong at order 1.*missing or wrong"),
    "a backward pass without one": (once, dx, "apolar_generic::once at order 1.*missing or wrong"),
    "in place": (lambda p: (y := p * 1, written(y))[0], dx, "apolar_generic::written"),
    "random": (lambda p: torch._standard_gamma(p.abs() + 1), dx, "aten::_standard_gamma"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_operators_without_right_derivatives_are_refused_by_name(name: str) -> None:
    f, operator, message = REFUSED[name]
    for _ in range(2):
        with pytest.raises(UnsupportedOperator, match=message):
            ap.evaluate(f, X, operator)


def test_a_point_where_it_is_constant_does_not_make_an_operator_differentiable() -> None:
    for points in (-X.abs(), X.abs()):
        with pytest.raises(UnsupportedOperator, match="silent"):
            ap.evaluate(silent, points, dx)


def test_what_pytorch_differentiates_wrongly_is_refused() -> None:
    """The third derivative of its layer norm by nested reverse mode is wrong in PyTorch 2.13."""
    x = lift(ap.algebra(dx**3), A, [A.flip(0), None])
    with pytest.raises(UnsupportedOperator, match=r"native_layer_norm at order 3.*missing or wrong"):
        by_reverse_mode(x, aten.native_layer_norm.default, x, [3], None, None, 1e-5)


def test_functions_of_autograd_are_refused_where_parameters_might_move() -> None:
    """Their forward pass runs without gradients, and is differentiated as it is where nobody asked for any."""
    with pytest.raises(DetachedError, match=r"autograd\.Function"):
        ap.evaluate(Cube.apply, X, dx**2)
    with torch.no_grad():
        assert torch.allclose(ap.evaluate(Cube.apply, X, dx**2), ap.evaluate(lambda p: p**3, X, dx**2))
