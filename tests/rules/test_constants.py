"""Values that are meant as constants: by ``ap.constant``, or by ``detached="constant"`` for code that cannot be changed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import apolar as ap
from apolar.errors import ApolarError, DetachedError, SettingError

X = torch.tensor([0.5, 0.7], dtype=torch.float64)
UNITS = torch.eye(2, dtype=torch.float64)
Function = Callable[[Tensor], Tensor]
dx, dy = ap.coordinates("x y")

TRANSFORMS: dict[str, Callable[..., Tensor]] = {
    "grad": lambda f, **o: ap.grad(f, **o)(X),
    "vjp": lambda f, **o: ap.vjp(f, X, **o)[1](torch.ones((), dtype=torch.float64))[0],
    "jacobian": lambda f, **o: ap.jacobian(f, **o)(X),
    "jvp": lambda f, **o: torch.stack([ap.jvp(f, (X,), (e,), **o)[1] for e in UNITS]),
    "derivative_tensor": lambda f, **o: ap.derivative_tensor(f, 1, **o)(X),
    "evaluate": lambda f, **o: torch.stack(ap.evaluate(f, X, dx, dy, **o)),
    "directional": lambda f, **o: torch.stack([ap.directional(f, e, **o)(X) for e in UNITS]),
    "divergence": lambda f, **o: ap.divergence(lambda x: torch.stack([f(x), 0 * x[0]]), **o)(X) * UNITS[0]
    + ap.divergence(lambda x: torch.stack([0 * x[0], f(x)]), **o)(X) * UNITS[1],
    "hvp of the integral": lambda f, **o: torch.stack(
        [ap.hvp(lambda v: v[2] * f(v[:2]), torch.cat([X, X[:1]]), torch.eye(3, dtype=X.dtype)[2], **o)[k] for k in (0, 1)]
    ),
    "hessian of the integral": lambda f, **o: ap.hessian(lambda v: v[2] * f(v[:2]), **o)(torch.cat([X, X[:1]]))[2, :2],
    "vmap": lambda f, **o: torch.vmap(ap.jacobian(f, **o))(X[None])[0],
}  # fmt: skip


def newton(v: Tensor) -> Tensor:
    """√v₀ by a loop that asks for its error."""
    y, error = 1 + 0 * v[0], torch.ones((), dtype=v.dtype)
    while error.item() > 1e-14:
        y = 0.5 * (y + v[0] / y)
        error = (y * y - v[0]).abs()
    return y * v[1]


def shifted(v: Tensor) -> Tensor:
    """As PyTorch Geometric begins a softmax."""
    return torch.exp(v - v.max().detach())


def neighbours(v: Tensor) -> Tensor:
    with torch.no_grad():
        near = (v[:, None] - v[None, :]).abs() + 1
        cutoff = near * near
    return (v**2 * cutoff.sum(0)).sum()


def logging(v: Tensor) -> Tensor:
    layer, log = nn.ReLU(inplace=True), []
    layer.register_forward_hook(lambda module, args, y: log.append(float(y.detach().mean())))
    return (layer(v * 1) ** 2).sum() * len(log)


def in_place_after_logging(v: Tensor) -> Tensor:
    y = v * 1
    float(y.detach().mean())
    y += v
    return (y**2).sum()


def with_numpy(v: Tensor) -> Tensor:
    weights = torch.from_numpy(np.exp(v.detach().numpy()))
    return (weights * v).sum()


AS_CONSTANTS: dict[str, tuple[Function, Function]] = {
    "detach": (lambda v: (v.detach() * v).sum(), lambda v: (X * v).sum()),
    "data": (lambda v: (v.data * v).sum(), lambda v: (X * v).sum()),
    "item": (lambda v: v[0] * v[1].item(), lambda v: v[0] * 0.7),
    "math": (lambda v: v[0] * math.sin(v[1]), lambda v: v[0] * math.sin(0.7)),
    "a softmax": (lambda v: shifted(v)[0] / shifted(v).sum(), lambda v: v.softmax(0)[0]),
    "straight through": (lambda v: ((v + (v.round() - v).detach()) ** 2).sum(), lambda v: (2 * X.round() * v).sum()),
    "a loop": (newton, lambda v: v[0].sqrt() * v[1]),
    "without gradients": (neighbours, lambda v: (v**2 * (((X[:, None] - X).abs() + 1) ** 2).sum(0)).sum()),
    "a hook": (logging, lambda v: (v**2).sum()),
    "in place after a log": (in_place_after_logging, lambda v: (4 * v**2).sum()),
    "numpy": (with_numpy, lambda v: (X.exp() * v).sum()),
}  # fmt: skip
BATCHED = {"data", "item", "math", "a loop", "a hook", "in place after a log", "numpy"}
"""What PyTorch refuses of batches of ``vmap``."""


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("way", AS_CONSTANTS)
def test_what_leaves_is_a_constant_where_that_is_said(way: str, transform: str) -> None:
    f, same = AS_CONSTANTS[way]
    if transform == "vmap" and way in BATCHED:
        with pytest.raises(ApolarError):
            TRANSFORMS[transform](f, detached="constant")
        return
    expected = torch.autograd.functional.jacobian(same, X)
    assert torch.allclose(TRANSFORMS[transform](f, detached="constant"), expected, rtol=1e-10)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_the_error_names_both_ways(transform: str) -> None:
    with pytest.raises(DetachedError, match=r'ap\.constant\(x\).*detached="constant"'):
        TRANSFORMS[transform](lambda v: (v.detach() * v).sum())


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_constant(transform: str) -> None:
    found = TRANSFORMS[transform](
        lambda v: (v * ap.constant(v)).sum() + ap.constant({"a": [v.sum(), 1]})["a"][0] * v[0]
    )
    assert torch.allclose(found, X + X.sum() * UNITS[0])


def test_constant_of_plain_tensors_and_in_torch_func() -> None:
    x = X.clone().requires_grad_()
    assert not ap.constant(x).requires_grad
    assert ap.constant("text") == "text"
    assert torch.allclose(torch.func.grad(lambda v: (v * ap.constant(v)).sum())(X), X)
    assert torch.allclose(torch.func.jvp(lambda v: v * ap.constant(v), (X,), (X,))[1], X * X)
    assert torch.allclose(ap.jacobian(torch.func.grad(lambda v: (v * v * ap.constant(v)).sum()))(X), torch.diag(2 * X))


def test_constant_for_all_evaluations_around() -> None:
    inner = ap.jacobian(lambda v: v * ap.constant(v))
    assert torch.equal(ap.jacobian(inner)(X), torch.zeros(2, 2, 2, dtype=X.dtype))
    assert torch.equal(ap.jacobian(ap.grad(lambda v: (v * ap.constant(v)).sum()))(X), torch.zeros(2, 2, dtype=X.dtype))


def test_an_evaluation_around_refuses_what_leaves_one_inside() -> None:
    inner = ap.jacobian(lambda v: v * v.detach(), detached="constant")
    assert torch.allclose(inner(X), torch.diag(X))
    with pytest.raises(DetachedError):
        ap.jacobian(inner)(X)


def test_residuals() -> None:
    points = torch.tensor([[0.5, 0.7], [1.0, 2.0]], dtype=torch.float64)

    @ap.residual("x y")
    def frozen(u: Any) -> Any:
        return ap.constant(u) * u.x + (u * ap.constant(u)).d("x")

    @ap.residual("x y", detached="constant")
    def detached(u: Any) -> Any:
        return u.detach() * u.x + (u * u.detach()).d("x")

    u, u_x = points[:, :1] ** 2, 2 * points[:, :1]
    for equation in (frozen, detached):
        assert torch.allclose(equation(lambda p: p[:, :1] ** 2, points), 2 * u * u_x)
    assert torch.allclose(detached(lambda p: p[:, :1].detach() * p[:, :1], points), 2 * u * points[:, :1])


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return 2 * g * ctx.saved_tensors[0]


def test_a_function_of_autograd_is_no_constant() -> None:
    with pytest.raises(ApolarError, match=r"autograd\.Function"):
        ap.jacobian(Square.apply, detached="constant")(X)


def test_another_word() -> None:
    with pytest.raises(SettingError, match='"error" or "constant", got \'no\''):
        ap.jacobian(torch.sin, detached="no")(X)  # type: ignore[arg-type]


UNCHANGED: dict[str, Function] = {
    "requires_grad_": lambda v: (v.requires_grad_() ** 2).sum(),
    "requires_grad": lambda v: setattr(y := v * 1, "requires_grad", True) or (y**2).sum(),
    "retain_grad": lambda v: (y := v * 1).retain_grad() or (y**2).sum(),
}  # fmt: skip


@pytest.mark.parametrize("way", UNCHANGED)
def test_asking_for_gradients_changes_nothing(way: str) -> None:
    for transform in (ap.jacobian, ap.grad):
        assert torch.allclose(transform(UNCHANGED[way])(X), 2 * X)


def test_hooks_on_gradients_are_to_be_left_out() -> None:
    with pytest.raises(ApolarError, match=r"would not run\. Leave it out"):
        ap.jacobian(lambda v: v.register_hook(print) and v)(X)
