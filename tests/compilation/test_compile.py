"""Captured passes against the same without capture: values, gradients, and when they are captured anew."""

from __future__ import annotations

import functools
import gc
import io
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import apolar as ap
from apolar.compilation.compile import TESTED
from apolar.errors import ApolarError, CaptureError, FunctionError

C = ap.coordinates("x t")
dx, dt = C
X = torch.rand(7, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def network(seed: int = 0, outputs: int = 1) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 8), nn.SiLU(), nn.Linear(8, outputs)).double()


@ap.residual("x t")
def burgers(u: Any) -> Any:
    return u.t + u * u.x - 0.01 * u.xx


@ap.residual("x t", outputs="u v")
def pair(u: Any, v: Any) -> Any:
    return u.t + v.xx, u * v.x - v.t


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first, self.second, self.last = nn.Linear(2, 6), nn.Linear(6, 6), nn.Linear(6, 1)
        self.norm = nn.LayerNorm(6)
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        h = torch.sin(self.first(x))
        return self.last(h + torch.sigmoid(self.norm(self.second(h)))) * x.prod(-1, keepdim=True)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.up, self.down = nn.Linear(1, 4), nn.Linear(8, 1)
        self.block = nn.TransformerEncoderLayer(4, 2, 8, 0.0, F.gelu, batch_first=True)
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        return self.down(self.block(self.up(x.unsqueeze(-1))).flatten(-2))


FUNCTIONS: dict[str, tuple[Callable[[], Any], Callable[[], nn.Module]]] = {
    "an operator": (lambda: (dx**2 + dt,), network),
    "several operators": (lambda: (1, dx, dt - 0.5 * dx**2), network),
    "fourth order": (lambda: ((dx**2 + dt**2) ** 2,), network),
    "a residual": (lambda: (burgers,), network),
    "a residual of two unknowns": (lambda: (pair,), lambda: network(outputs=2)),
    "a residual network": (lambda: (dx**2, dx * dt), Residual),
    "a transformer": (lambda: (dx**2 + dt**2,), Attention),
    "a function": (
        lambda: (lambda f, p: {"u": ap.evaluate(f, p, 1, dx)[0], "laplacian": ap.laplacian(f)(p)},),
        network,
    ),
}


def without(*targets: Any) -> Callable[..., Any]:
    """The same, not captured."""
    first = targets[0]
    if isinstance(first, (ap.Operator, int, float)):
        return lambda f, points: ap.evaluate(f, points, *targets)
    return first  # type: ignore[no-any-return]


def loss(results: Any) -> Tensor:
    return sum(y.square().sum() + y.sum() for y in torch.utils._pytree.tree_leaves(results))  # type: ignore[return-value]


def close(found: Any, expected: Any) -> bool:
    pairs = zip(torch.utils._pytree.tree_leaves(found), torch.utils._pytree.tree_leaves(expected), strict=True)
    return all(torch.allclose(a, b, rtol=1e-11, atol=1e-13) for a, b in pairs)


@pytest.mark.parametrize("kernels", ["eager", "compiled"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_gradients(name: str, kernels: Any) -> None:
    """At the first call, at others with other values, and after steps of an optimiser."""
    targets, make = FUNCTIONS[name]
    net = make()
    parameters = list(net.parameters())
    step, plain = ap.compile(*targets()), without(*targets())
    optimiser = torch.optim.SGD(net.parameters(), lr=1e-2)
    with ap.settings(kernels=kernels):
        for turn in range(3):
            points = (X + 0.1 * turn).requires_grad_()
            found, expected = step(net, points), plain(net, points)
            assert close(found, expected)
            wanted = [points, *parameters]
            a = torch.autograd.grad(loss(found), wanted, allow_unused=True, materialize_grads=True)
            b = torch.autograd.grad(loss(expected), wanted, allow_unused=True, materialize_grads=True)
            assert close(a, b)
            for p, g in zip(parameters, a[1:], strict=True):
                p.grad = g
            optimiser.step()
    assert step.captures == 1


def test_programs_that_are_ready_later() -> None:
    """What is kept for the backward pass may lie otherwise than when the step was captured."""
    net, points = network(), X.repeat(500, 1)
    step = ap.compile(dx**2 + dt)
    expected = torch.autograd.grad(loss(step(net, points)), list(net.parameters()), allow_unused=True)
    with ap.settings(kernels="compiled"):
        for _ in range(3):
            ap.evaluate(net, points, dx**2 + dt).sum().backward()
            found = torch.autograd.grad(loss(step(net, points)), list(net.parameters()), allow_unused=True)
            assert close(found, expected)
    assert step.captures == 1


def test_without_gradients() -> None:
    net, step = network(), ap.compile(dx**2)
    with torch.no_grad():
        found = step(net, X)
    assert not found.requires_grad
    assert close(found, ap.evaluate(net, X, dx**2))
    assert step(net, X).requires_grad
    assert step.captures == 2


def test_gradients_of_gradients() -> None:
    """The second derivative takes the path without capture."""
    net, step = network(), ap.compile(dx**2 + dt)
    points = X.clone().requires_grad_()

    def second(f: Callable[..., Tensor]) -> tuple[Tensor, ...]:
        first = torch.autograd.grad(loss(f(net, points)), [points, *net.parameters()], create_graph=True)
        return torch.autograd.grad(sum(g.square().sum() for g in first), [points, net[0].weight])  # type: ignore[arg-type]

    assert close(second(step), second(without(dx**2 + dt)))


def test_points_in_the_middle_of_a_graph() -> None:
    """Gradients flow on to what the points were made of."""
    net, step = network(), ap.compile(dx**2)
    scale = torch.tensor(1.3, dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(loss(step(net, scale * X)), scale)
    (expected,) = torch.autograd.grad(loss(ap.evaluate(net, scale * X, dx**2)), scale)
    assert close(found, expected)


def test_coefficients_beside_the_network() -> None:
    """Tensors that the function holds are read anew, and get gradients."""
    net, k = network(), torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    step = ap.compile(lambda f, p: k * ap.evaluate(f, p, dx**2) + ap.evaluate(f, p, dt))
    for _ in range(2):
        found, expected = step(net, X), k * ap.evaluate(net, X, dx**2) + ap.evaluate(net, X, dt)
        assert close(found, expected)
        assert close(*(torch.autograd.grad(loss(y), k)[0] for y in (found, expected)))
        with torch.no_grad():
            k += 1
    assert step.captures == 1


CHANGES: dict[str, Callable[[nn.Sequential], Tensor]] = {
    "shape": lambda net: X[:3],
    "strides": lambda net: X.mT.contiguous().mT,
    "more axes": lambda net: X.expand(2, 7, 2),
    "no points": lambda net: X[:0],
    "dtype": lambda net: (net.float(), X.float())[1],
    "a parameter": lambda net: (setattr(net[0], "weight", nn.Parameter(net[0].weight.detach() * 2)), X)[1],
    "frozen parameters": lambda net: (net.requires_grad_(False), X)[1],
    "an activation": lambda net: (net.__setitem__(1, nn.Sigmoid()), X)[1],
    "the points move": lambda net: X.clone().requires_grad_(),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_captured_anew(name: str) -> None:
    net, step = network(), ap.compile(dx**2 + dt)
    step(net, X)
    points = CHANGES[name](net)
    found, expected = step(net, points), ap.evaluate(net, points, dx**2 + dt)
    assert torch.allclose(found, expected, rtol=1e-4 if found.dtype == torch.float32 else 1e-11)
    assert found.requires_grad is expected.requires_grad
    assert step.captures == 2
    step(net, points)
    assert step.captures == 2


def test_another_mode() -> None:
    """Dropout draws anew in training, and is nothing in evaluation."""
    net = nn.Sequential(nn.Linear(2, 64), nn.Tanh(), nn.Dropout(0.5), nn.Linear(64, 1)).double()
    step = ap.compile(dx**2)
    first, second = step(net, X), step(net, X)
    assert not torch.equal(first, second)
    net.eval()
    assert close(step(net, X), ap.evaluate(net, X, dx**2))
    assert torch.equal(step(net, X), step(net, X))
    assert step.captures == 2


def test_functions_made_anew() -> None:
    """They are the same where they hold the same; and other numbers that they hold are seen."""
    net, step = network(), ap.compile(dx**2)
    for scale in (1.0, 1.0, 3.0, 1.0):
        found = step(lambda p, scale=scale: scale * net(p), X)
        assert close(found, scale * ap.evaluate(net, X, dx**2))
    assert step.captures == 2


# ------------------------------------------------------------------------------------------------------ what becomes stale

A, FACTOR, NETS, SCALES = torch.tensor(5.0, dtype=torch.float64), 2.0, {"u": network()}, [1.0]


def helper(x: Tensor, power: int = 2) -> Tensor:
    return FACTOR * x**power


class Shifted(nn.Module):
    """A network with a tensor that is neither a parameter nor a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.shift = network(), torch.tensor(1.0, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x + self.shift).sin()


def by_parts(cell: list[Any]) -> Callable[[Tensor], Tensor]:
    scale = 1.0

    def inner(x: Tensor) -> Tensor:
        return scale * x.sin()

    def change() -> None:
        nonlocal scale
        scale = 3.0

    cell.append(change)
    return lambda p: inner(p)


CELL: list[Any] = []
STALE: dict[str, tuple[Callable[[], Any], Callable[[Any, pytest.MonkeyPatch], Any]]] = {
    "a global tensor": (
        lambda: lambda p: A * p**2,
        lambda f, patch: patch.setitem(globals(), "A", torch.tensor(7.0, dtype=torch.float64)),
    ),
    "an attribute of a module": (Shifted, lambda f, patch: setattr(f, "shift", torch.tensor(2.0, dtype=torch.float64))),
    "a network in a dictionary": (
        lambda: lambda p: NETS["u"](p),
        lambda f, patch: patch.setitem(NETS, "u", network(5)),
    ),
    "a helper": (
        lambda: lambda p: helper(p),
        lambda f, patch: patch.setitem(globals(), "helper", lambda x: x**3),
    ),
    "the code of a helper": (
        lambda: lambda p: helper(p),
        lambda f, patch: patch.setattr(helper, "__code__", (lambda x, power=2: x**4).__code__),
    ),
    "a number of a helper": (lambda: lambda p: helper(p), lambda f, patch: patch.setitem(globals(), "FACTOR", 3.0)),
    "an entry of a list": (lambda: lambda p: SCALES[0] * p**2, lambda f, patch: SCALES.__setitem__(0, 4.0)),
    "a forward hook": (network, lambda f, patch: f[1].register_forward_hook(lambda module, inputs, output: 2 * output)),
    "forward of an object": (network, lambda f, patch: patch.setattr(f[1], "forward", torch.sin)),
    "forward of a class": (network, lambda f, patch: patch.setattr(nn.SiLU, "forward", lambda self, x: x.sin())),
    "a default of a helper": (
        lambda: lambda p: helper(p),
        lambda f, patch: patch.setattr(helper, "__defaults__", (3,)),
    ),
    "a cell of a helper": (lambda: by_parts(CELL), lambda f, patch: CELL.pop()()),
    "the default dtype": (
        lambda: lambda p: torch.full((), 0.1) * p**2,
        lambda f, patch: torch.set_default_dtype(torch.float64),
    ),
}


@pytest.mark.parametrize("name", STALE)
def test_nothing_stale_is_replayed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, change = STALE[name]
    f, step = make(), ap.compile(dx**2 + dt)
    before = step(f, X)
    assert close(step(f, X), before)
    assert step.captures == 1
    default = torch.get_default_dtype()
    try:
        change(f, monkeypatch)
        expected = ap.evaluate(f, X, dx**2 + dt)
        assert not torch.equal(expected, before)
        assert close(step(f, X), expected)
        assert step.captures == 2
    finally:
        torch.set_default_dtype(default)


class Problem:
    """What people write: a network, an optimiser, a log, and a residual as a method."""

    def __init__(self) -> None:
        self.net, self.weight = network(), 1.0
        self.optimiser = torch.optim.Adam(self.net.parameters())
        self.losses: list[float] = []
        self.log = io.StringIO()

    def residual(self, points: Tensor) -> Tensor:
        return self.weight * ap.evaluate(self.net, points, dx**2 + dt)

    def train(self, step: Callable[[Tensor], Tensor]) -> None:
        self.optimiser.zero_grad()
        value = step(X).square().mean()
        value.backward()
        self.optimiser.step()
        self.losses.append(value.item())
        self.log.write("a step")


def test_a_method_of_an_object() -> None:
    """What it does not read may change: the optimiser, the losses, an open file."""
    problem = Problem()
    step = ap.compile(problem.residual)
    for _ in range(3):
        problem.train(step)
    assert step.captures == 1
    problem.weight = 2.0
    assert close(step(X), problem.residual(X))
    assert step.captures == 2


def test_what_was_compiled_inside_of_it() -> None:
    inner = ap.compile(dx**2)
    step, net = ap.compile(lambda f, p: 2 * inner(f, p)), network()
    for _ in range(2):
        assert close(step(net, X), 2 * ap.evaluate(net, X, dx**2))
    net[1].register_forward_hook(lambda module, inputs, output: 2 * output)
    assert close(step(net, X), 2 * ap.evaluate(net, X, dx**2))
    assert step.captures == 2


def test_modes_in_turn() -> None:
    """Both captures stay."""
    net, step = network(), ap.compile(dx**2)
    for _ in range(3):
        step(net.train(), X)
        step(net.eval(), X)
    assert step.captures == 2


def test_numbers_as_arguments() -> None:
    step = ap.compile(lambda f, p, weight: weight * ap.evaluate(f, p, dx))
    net = network()
    for weight in (1.0, 2.0, 1.0, 2.0):
        assert close(step(net, X, weight), weight * ap.evaluate(net, X, dx))
    assert step.captures == 2


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net, self.calls = network(), 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.net(x)


def reading(held: Any) -> Callable[[Tensor], Tensor]:
    return lambda p: p**2 if held else p**3


def changing() -> Callable[[Tensor], Tensor]:
    seen: list[int] = []
    return lambda p: p ** (2 + 0 * len(seen)) if seen.append(1) is None else p  # type: ignore[func-returns-value]


UNFOLLOWED: dict[str, tuple[Callable[[], Any], str]] = {
    "a file": (lambda: reading(io.StringIO()), r"cannot be compared.*`held` \(_io.StringIO\)"),
    "a generator": (lambda: reading(n for n in range(3)), r"cannot be compared.*`held` \(builtins.generator\)"),
    "eval": (lambda: lambda p: eval("p**2"), "cannot be compared.*`eval`"),
    "a counter": (Counting, r"itself changes what it reads: Counting\.calls"),
    "a list that grows": (changing, "itself changes what it reads: seen"),
    "DataParallel": (lambda: nn.DataParallel(network()), "would not communicate as DataParallel.*Compile inside of it"),
    "scripted": (lambda: torch.jit.script(network()), "cannot be compared.*torch.ScriptModule"),
}


@pytest.mark.filterwarnings("ignore:.torch.jit.*is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", UNFOLLOWED)
def test_what_cannot_be_followed_is_refused(name: str) -> None:
    make, message = UNFOLLOWED[name]
    step = ap.compile(dx**2)
    f = make()
    for _ in range(2):
        with pytest.raises(CaptureError, match=message):
            step(f, X)
    assert step.captures == 0


def test_what_is_filled_in_the_first_run_is_no_change() -> None:
    class Lazy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.frequencies = network(), None

        @functools.cached_property
        def scale(self) -> float:
            return 2.0

        def forward(self, x: Tensor) -> Tensor:
            if self.frequencies is None:
                self.frequencies = torch.ones(2, dtype=torch.float64)
            return self.net(self.scale * x * self.frequencies)

    net, step = Lazy(), ap.compile(dx**2)
    for _ in range(3):
        assert close(step(net, X), ap.evaluate(net, X, dx**2))
    assert step.captures == 1


def test_what_changes_before_every_call_is_refused() -> None:
    """After some captures in vain; one that was replayed starts the count anew."""
    net, step = Shifted(), ap.compile(dx**2)

    def changed(calls: int) -> None:
        for n in range(30):
            net.shift = torch.full((), 0.1 * n, dtype=torch.float64)
            for _ in range(calls):
                step(net, X)

    changed(2)
    with pytest.raises(CaptureError, match=r"changes before every call: Shifted\.shift\. Keep it in a tensor"):
        changed(1)
    assert 35 < step.captures < 45


def test_captures_end_with_what_they_hold_for() -> None:
    step, net = ap.compile(dx**2), network()
    step(net, X).sum().backward()
    held = [weakref.ref(net), *map(weakref.ref, net.parameters())]
    del net
    gc.collect()
    assert held[0]() is None
    step(network(), X)
    gc.collect()
    assert not any(reference() is not None for reference in held)


SCALE = nn.Parameter(torch.tensor(2.0))


def by_value(p: Tensor) -> Tensor:
    return p.sin() if p.sum() > 0 else p.cos()


def halved(p: Tensor, scale: Tensor) -> Tensor:
    while scale > 1:
        p, scale = p.sin(), scale / 2
    return p


REFUSED: dict[str, tuple[Callable[[Tensor], Any], type[ApolarError]]] = {
    "if": (by_value, CaptureError),
    "item of a parameter": (lambda p: p * SCALE.item(), CaptureError),
    "float": (lambda p: p * float(SCALE), CaptureError),
    "while": (lambda p: halved(p, SCALE), CaptureError),
    "no tensor": (lambda p: 1.0, FunctionError),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_captured(name: str) -> None:
    function, error = REFUSED[name]
    with pytest.raises(error):
        ap.compile(dx**2)(function, X)


def test_inside_of_transforms() -> None:
    """There it is called as it is."""
    net, step = network(), ap.compile(dx**2)
    found = torch.func.vmap(lambda p: step(net, p))(X.unsqueeze(1))
    assert close(found, ap.evaluate(net, X.unsqueeze(1), dx**2))
    (jacobian,) = (torch.func.jacrev(lambda p: step(net, p).sum(0))(X),)
    assert close(jacobian, torch.func.jacrev(lambda p: ap.evaluate(net, p, dx**2).sum(0))(X))


def test_a_training_run() -> None:
    """The same losses as without capture."""

    def losses(step: Callable[..., Tensor]) -> list[float]:
        net = network()
        optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
        found = []
        for _ in range(20):
            optimiser.zero_grad()
            value = step(net, X).square().mean()
            value.backward()
            optimiser.step()
            found.append(value.item())
        return found

    assert losses(ap.compile(burgers)) == pytest.approx(losses(burgers), rel=1e-9)


@pytest.mark.cuda
def test_on_a_device() -> None:
    """Replayed as a CUDA graph."""
    net, points = network().cuda(), X.cuda()
    step = ap.compile(dx**2 + dt)
    for _ in range(3):
        found, expected = step(net, points), ap.evaluate(net, points, dx**2 + dt)
        assert close(found, expected)
        grads = [torch.autograd.grad(loss(y), list(net.parameters()), allow_unused=True) for y in (found, expected)]
        assert all(torch.allclose(a, b) for a, b in zip(*grads) if a is not None)
    assert step.captures == 1


@pytest.mark.parametrize("targets", [(), (3,), ("x",)], ids=["nothing", "a number", "a text"])
def test_what_cannot_be_compiled_is_refused_at_once(targets: tuple[Any, ...]) -> None:
    with pytest.raises(ap.OperatorError):
        ap.compile(*targets)


def test_a_second_derivative_of_what_was_changed_is_refused() -> None:
    """It runs the function again."""
    offset = torch.ones(2, dtype=torch.float64)

    def f(p: Tensor) -> Tensor:
        return torch.sin(p * offset) ** 2

    compiled, points = ap.compile(dx), torch.rand(3, 2, dtype=torch.float64, requires_grad=True)
    for change in (False, True):
        y = compiled(f, points)
        if change:
            offset.mul_(2)
        with pytest.raises(RuntimeError, match=r"changed|inplace") if change else nullcontext():
            torch.autograd.grad(y.sum(), points, create_graph=True)


def test_replays_are_tested_from_time_to_time() -> None:
    """At points where rows are mixed while they were not at first."""
    compiled = ap.compile(dx)
    points = torch.rand(4, 2, dtype=torch.float64)

    def f(p: Tensor) -> Tensor:
        return p * torch.relu(p.amax(0) - 5.5)

    compiled(f, points)
    points.fill_(6.0)
    for _ in range(TESTED - 2):
        compiled(f, points)
    with pytest.raises(ap.RowCouplingError):
        compiled(f, points)
