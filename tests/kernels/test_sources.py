"""That components wait cannot be seen: the same numbers, gradients and errors as where all are computed at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from torch.utils.checkpoint import checkpoint

import apolar as ap
from apolar.errors import ApolarError, FunctionError, UnsupportedOperator
from tests.oracles.nested_autograd import Derivatives

C = ap.coordinates("x y")
dx, dy = C
OPERATORS = (C.one, dx, C.laplacian, dx**2 * dy)
FEW = (C.laplacian,)
"""One component of four: a thin layer computes no more of them."""


def layers() -> nn.ModuleList:
    torch.manual_seed(5)
    return nn.ModuleList([nn.Linear(2, 12), nn.Linear(12, 12), nn.Linear(12, 1)]).double()


def points(*shape: int) -> Tensor:
    return torch.randn(*shape, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


FIRST, SECOND, LAST = L = layers()
PARAMETERS = list(L.parameters())
W = torch.linspace(0.5, 1.5, 12, dtype=torch.float64)


def plain(p: Tensor) -> Any:
    return LAST(torch.tanh(SECOND(torch.tanh(FIRST(p)))))


def used_twice(p: Tensor) -> Any:
    h = torch.tanh(FIRST(p))
    y = LAST(h)
    return y * y + LAST(torch.sin(h))


def several_outputs(p: Tensor) -> Any:
    h = torch.tanh(FIRST(p))
    return LAST(h), torch.sin(h)


def a_dictionary(p: Tensor) -> Any:
    h = torch.tanh(SECOND(torch.tanh(FIRST(p))))
    y = LAST(h)
    return {"last": y, "hidden": h, "again": y}


def a_tensor_twice(p: Tensor) -> Any:
    y = LAST(torch.tanh(FIRST(p)))
    return [y, y]


def the_points_themselves(p: Tensor) -> Any:
    return p, FIRST(p), torch.tanh(p)


def a_result_is_written(p: Tensor) -> Any:
    """Which reverse mode does not need, so that it has gradients here and in PyTorch."""
    y = LAST(torch.tanh(FIRST(p)))
    y.mul_(3)
    return y.add_(1)


def without_a_bias(p: Tensor) -> Any:
    return F.linear(torch.tanh(F.linear(p, FIRST.weight)), LAST.weight)


def other_linear_functions(p: Tensor) -> Any:
    h = torch.tanh(FIRST(p))
    return h @ LAST.weight.mT + h.sum(-1, keepdim=True) + torch.einsum("...i,i->...", h, W)[..., None]


def residual_connections(p: Tensor) -> Any:
    h = torch.tanh(FIRST(p))
    h = h + torch.tanh(SECOND(h))
    return LAST(h + torch.tanh(SECOND(h)))


def a_hidden_checkpoint(p: Tensor) -> Any:
    h = checkpoint(lambda q: torch.tanh(SECOND(torch.tanh(FIRST(q)))), p, use_reentrant=False)
    return LAST(h)


def reused_weights(p: Tensor) -> Any:
    h = torch.tanh(FIRST(p))
    for _ in range(3):
        h = torch.tanh(SECOND(h))
    return LAST(h)


def a_transform_inside(p: Tensor) -> Any:
    h = torch.tanh(FIRST(p))
    _, y = torch.func.jvp(lambda w: torch.sin(h) * w, (W,), (W,))
    return LAST(torch.sin(h) * y)


def detached_in_between(p: Tensor) -> Any:
    h = torch.tanh(FIRST(p))
    with torch.no_grad():
        scale = LAST.weight.abs().sum()
    return LAST(h) * scale


FUNCTIONS: dict[str, Callable[[Tensor], Any]] = {
    f.__name__: f
    for f in (
        plain, used_twice, several_outputs, a_dictionary, a_tensor_twice, a_result_is_written, without_a_bias,
        other_linear_functions, residual_connections, a_hidden_checkpoint, reused_weights, detached_in_between,
    )
}  # fmt: skip


def numbers(results: Any) -> list[Tensor]:
    return [y.detach() for y in tree_leaves(results)]


def gradients(results: Any, by: list[Tensor]) -> list[Tensor]:
    total = sum((((k + 1) * y) ** 2).sum() for k, y in enumerate(tree_leaves(results)))
    found = torch.autograd.grad(total, by, allow_unused=True) if total.requires_grad else [None] * len(by)  # type: ignore
    return [torch.zeros_like(p) if g is None else g for g, p in zip(found, by, strict=True)]


def nested(f: Callable[[Tensor], Any], x: Tensor, operators: Any) -> list[list[Tensor]]:
    """For every operator the outputs in order, by PyTorch alone."""
    outputs = len(tree_leaves(f(x)))
    by_output = [Derivatives(lambda p, k=k: tree_leaves(f(p))[k], x) for k in range(outputs)]  # type: ignore[misc]
    return [[d.operator(p.terms) for d in by_output] for p in operators]


def agree(found: list[Tensor], expected: list[Tensor]) -> None:
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        scale = max(1.0, float(b.abs().max())) if b.numel() else 1.0
        assert a.shape == b.shape
        assert torch.allclose(a, b, rtol=0, atol=1e-10 * scale)


@pytest.mark.parametrize("kernels", ["eager", "compiled"])
@pytest.mark.parametrize("operators", [OPERATORS, FEW], ids=["four operators", "one operator"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_agrees_with_nested_autograd(name: str, operators: Any, kernels: Any) -> None:
    f = FUNCTIONS[name]
    x = points(4)
    with ap.settings(kernels=kernels):
        found = ap.evaluate(f, x, *operators)
        by_parameters = gradients(found, PARAMETERS)
    expected = nested(f, x, operators)
    agree(numbers(found), numbers(expected))
    agree(by_parameters, gradients(expected, PARAMETERS))


def test_linear_functions_of_the_points() -> None:
    """Exactly."""
    (p, z), (px, zx), (pl, zl) = ap.evaluate(lambda p: (p, FIRST(p)), points(4), C.one, dx, C.laplacian + dx)
    assert torch.equal(p, points(4))
    assert torch.equal(px, torch.tensor([1.0, 0.0], dtype=torch.float64).expand(4, 2))
    assert torch.equal(pl, px)
    agree([z, zx, zl], [FIRST(points(4)), *[FIRST.weight[:, 0].expand(4, 12)] * 2])


def test_a_transform_of_torch_inside() -> None:
    """Against the same without the transform, which nested autograd of jvp is not."""
    h = ap.evaluate(a_transform_inside, points(4), *OPERATORS)
    expected = ap.evaluate(lambda p: LAST(torch.sin(torch.tanh(FIRST(p))) ** 2 * W), points(4), *OPERATORS)
    agree(numbers(h), numbers(expected))


@pytest.mark.parametrize("shape", [(), (0,), (1,), (5,), (2, 3), (2, 0), (1, 2, 2)], ids=str)
@pytest.mark.parametrize("name", ["plain", "used_twice", "a_dictionary", "the_points_themselves"])
def test_batches(name: str, shape: tuple[int, ...]) -> None:
    """Row by row the same as alone, and of the shape of the function."""
    f, x = {**FUNCTIONS, "the_points_themselves": the_points_themselves}[name], points(*shape)
    found = ap.evaluate(f, x, *OPERATORS)
    for operator, results in zip(OPERATORS, found, strict=True):
        expected = [ap.evaluate(f, p, operator, dx)[0] for p in x.reshape(-1, 2)]
        for k, (y, like) in enumerate(zip(tree_leaves(results), tree_leaves(f(x)), strict=True)):
            assert y.shape == like.shape
            rows = [tree_leaves(e)[k] for e in expected]
            if rows:
                agree([y.detach().reshape(len(rows), -1)], [torch.stack(rows).detach()])


# ------------------------------------------------------------------------------------------------------- in-place writes


def the_argument(p: Tensor) -> Any:
    z = FIRST(p)
    h = torch.tanh(z)
    z.add_(1)
    return LAST(h) + LAST(z)


def the_argument_by_a_view(p: Tensor) -> Any:
    z = FIRST(p)
    v = z[..., :3]
    h = torch.tanh(z)
    v.zero_()
    return LAST(h) + LAST(z)


def an_entry_of_the_argument(p: Tensor) -> Any:
    z = SECOND(torch.tanh(FIRST(p)))
    h = torch.sin(z)
    z[..., 2] = 5.0
    return LAST(h) + LAST(z)


def the_input_of_a_layer(p: Tensor) -> Any:
    h = torch.tanh(FIRST(p))
    y = LAST(h)
    h.add_(1)
    return y + LAST(h)


def the_result_of_a_layer(p: Tensor) -> Any:
    h = torch.tanh(FIRST(p))
    y = LAST(h)
    z = torch.sin(y)
    y.mul_(3)
    return y + z


def what_waits(p: Tensor) -> Any:
    h = torch.tanh(FIRST(p))
    k = torch.sin(h)
    h.exp_()
    return LAST(h) + LAST(k)


def what_waits_by_a_view(p: Tensor) -> Any:
    h = torch.tanh(FIRST(p))
    v = h[..., :4]
    k = LAST(h)
    h.add_(1)
    return LAST(h) + k + v.sum(-1, keepdim=True)


def the_points(p: Tensor) -> Any:
    q = p.clone()
    z = FIRST(q)
    h = torch.tanh(q)
    q.mul_(2)
    return LAST(torch.tanh(z)) + h.sum(-1, keepdim=True) * q[..., :1]


def without_three(z: Tensor) -> Tensor:
    return torch.cat([torch.zeros_like(z[..., :3]), z[..., 3:]], -1)


def with_a_five(z: Tensor) -> Tensor:
    return torch.cat([z[..., :2], torch.full_like(z[..., :1], 5.0), z[..., 3:]], -1)


def tanh_first(p: Tensor) -> Tensor:
    return torch.tanh(FIRST(p))


def hidden(p: Tensor) -> Tensor:
    result: Tensor = SECOND(tanh_first(p))
    return result


WRITTEN: dict[Callable[[Tensor], Any], Callable[[Tensor], Any]] = {
    the_argument: lambda p: LAST(tanh_first(p)) + LAST(FIRST(p) + 1),
    the_argument_by_a_view: lambda p: LAST(tanh_first(p)) + LAST(without_three(FIRST(p))),
    an_entry_of_the_argument: lambda p: LAST(torch.sin(hidden(p))) + LAST(with_a_five(hidden(p))),
    the_input_of_a_layer: lambda p: LAST(tanh_first(p)) + LAST(tanh_first(p) + 1),
    the_result_of_a_layer: lambda p: 3 * LAST(tanh_first(p)) + torch.sin(LAST(tanh_first(p))),
    what_waits: lambda p: LAST(torch.exp(tanh_first(p))) + LAST(torch.sin(tanh_first(p))),
    what_waits_by_a_view: lambda p: (
        LAST(tanh_first(p) + 1) + LAST(tanh_first(p)) + (tanh_first(p) + 1)[..., :4].sum(-1, keepdim=True)
    ),
    the_points: lambda p: LAST(tanh_first(p)) + torch.tanh(p).sum(-1, keepdim=True) * 2 * p[..., :1],
}
"""A function that writes in place, and the same without."""


def unless_overwritten(compute: Callable[[], list[Tensor]]) -> list[Tensor] | None:
    """None where PyTorch says that reverse mode needs what was written over: gradients are right or refused."""
    try:
        return compute()
    except RuntimeError as error:
        if "modified by an inplace operation" in str(error):
            return None
        raise


@pytest.mark.parametrize("kernels", ["eager", "compiled"])
@pytest.mark.parametrize("operators", [OPERATORS, FEW], ids=["four operators", "one operator"])
@pytest.mark.parametrize("f", WRITTEN, ids=lambda f: f.__name__)
def test_in_place_writes(f: Callable[[Tensor], Any], operators: Any, kernels: Any) -> None:
    assert torch.allclose(f(points(4)), WRITTEN[f](points(4)))  # they are the same function
    expected = nested(WRITTEN[f], points(4), operators)
    with ap.settings(kernels=kernels):
        with torch.no_grad():
            agree(numbers(ap.evaluate(f, points(4), *operators)), numbers(expected))
        found = ap.evaluate(f, points(4), *operators)
        agree(numbers(found), numbers(expected))
        by_parameters = unless_overwritten(lambda: gradients(found, PARAMETERS))
        if by_parameters is not None:
            agree(by_parameters, gradients(expected, PARAMETERS))


# ------------------------------------------------------------------------------------------------------------- gradients


@pytest.mark.parametrize("kernels", ["eager", "compiled"])
@pytest.mark.parametrize("operator", [C.laplacian, dx, dx**2 * dy], ids=str)
def test_every_parameter_has_a_gradient(operator: Any, kernels: Any) -> None:
    """Also the last bias, by which derivatives of the function do not change: 0, and no error that it is unused."""
    with ap.settings(kernels=kernels):
        found = torch.autograd.grad(ap.evaluate(plain, points(4), operator).sum(), PARAMETERS)
    assert torch.equal(found[-1], torch.zeros(1, dtype=torch.float64))
    assert all(g.abs().sum() > 0 for g in found[:-1])


@pytest.mark.parametrize("kernels", ["eager", "compiled"])
def test_gradients_by_the_points(kernels: Any) -> None:
    """∂x Δu from the gradient of Δu."""
    x = points(5).requires_grad_()
    with ap.settings(kernels=kernels):
        (found,) = torch.autograd.grad(ap.evaluate(plain, x, C.laplacian).sum(), x)
        by_x, by_y = ap.evaluate(plain, x.detach(), dx * C.laplacian, dy * C.laplacian)
    agree([found], [torch.cat([by_x, by_y], -1).detach()])


DIRECTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "the same for all": lambda x: torch.tensor([2.0, -1.0], dtype=x.dtype),
    "expanded": lambda x: torch.tensor([[2.0, -1.0]], dtype=x.dtype).expand_as(x),
    "for each": lambda x: x.cos(),
}


@pytest.mark.parametrize("name", DIRECTIONS)
def test_directions(name: str) -> None:
    """Along v the second derivative is vᵀHv."""
    x, s = points(4), ap.coordinates("s")
    (ds,) = s
    v = DIRECTIONS[name](x)
    found = ap.evaluate(plain, x, ds**2, directions={"s": v})
    xx, xy, yy = ap.evaluate(plain, x, dx**2, dx * dy, dy**2)
    a, b = v.expand_as(x)[:, :1], v.expand_as(x)[:, 1:]
    agree([found.detach()], [(a * a * xx + 2 * a * b * xy + b * b * yy).detach()])


def test_without_gradients() -> None:
    with torch.no_grad():
        found = ap.evaluate(plain, points(4), *OPERATORS)
    assert not any(y.requires_grad for y in found)
    agree(numbers(found), numbers(ap.evaluate(plain, points(4), *OPERATORS)))


# ------------------------------------------------------------------------------------------------------------------ errors


def test_parameters_that_change_meanwhile_are_refused() -> None:
    net = layers()

    def f(p: Tensor) -> Any:
        y = net[2](torch.tanh(net[0](p)))
        with torch.no_grad():
            net[2].weight.mul_(2)
        return y

    with pytest.raises(UnsupportedOperator, match="changed in place"):
        ap.evaluate(f, points(1), C.laplacian)


class Remembers(nn.Module):
    """Keeps its last result, as modules with diagnostics do."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = layers()

    def forward(self, p: Tensor) -> Tensor:
        z = self.layers[0](p).mul_(1.5)
        self.last = self.layers[2](torch.tanh(z))
        return self.last


def test_what_an_earlier_evaluation_left_waiting_does_not_matter() -> None:
    """Its parameters have been trained since, and nobody reads it."""
    net = Remembers()
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    for _ in range(4):
        optimizer.zero_grad()
        ap.evaluate(net, points(5), C.laplacian).square().sum().backward()
        optimizer.step()


def wide() -> nn.Linear:
    return nn.Linear(32, 1).double()


BROKEN: dict[str, Callable[[Tensor], Any]] = {
    "a layer of another width": lambda p: wide()(torch.tanh(FIRST(p))),
    "a layer of another dtype": lambda p: nn.Linear(12, 1)(torch.tanh(FIRST(p))),
    "an unknown option": lambda p: F.gelu(FIRST(p), approximate="other"),
    "a parameter that torch refuses": lambda p: F.celu(FIRST(p), alpha=0.0),
}


@pytest.mark.parametrize("kernels", ["eager", "compiled"])
@pytest.mark.parametrize("name", BROKEN)
def test_functions_that_fail_say_so_in_apolars_words(name: str, kernels: Any) -> None:
    with ap.settings(kernels=kernels), pytest.raises(FunctionError, match="f fails on plain tensors"):
        ap.evaluate(BROKEN[name], points(4), C.laplacian)


def test_functions_that_cannot_be_lifted_are_refused_as_ever() -> None:
    with pytest.raises(ApolarError):
        ap.evaluate(lambda p: LAST(torch.tanh(FIRST(p)).as_strided((4, 12), (12, 1))), points(4), C.laplacian)


def test_autocast_inside_of_the_function() -> None:
    """The last layer is computed where it stands: in the lower precision that was asked for, and not in that around."""
    net = layers().float()

    def f(p: Tensor) -> Tensor:
        h = torch.tanh(net[0](p))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return net[2](h)

    def g(p: Tensor) -> Tensor:
        y = net[2](torch.tanh(net[0](p)))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return y * 1

    x = points(4).float()
    assert ap.evaluate(f, x, C.laplacian).dtype == torch.bfloat16
    assert ap.evaluate(g, x, C.laplacian).dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert ap.evaluate(plain, points(4), C.laplacian).dtype == torch.float64
        assert ap.evaluate(net[0], x, dx).dtype == torch.float32
