"""What PyTorch puts around a function and inside of it: hooks, checkpoints, modes, graphs, TorchScript."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import pytest
import torch
import torch.autograd.forward_ad as forward_ad
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import vmap
from torch.nn.utils import parametrizations, parametrize, prune
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint, checkpoint_sequential
from torch.utils.flop_counter import FlopCounterMode

import apolar as ap
from apolar.errors import ApolarError, DetachedError, FunctionError, UnsupportedOperator
from tests.lifted import OPERATORS, C, Function, X, close, dx, dy, lifted, nested, network, squares, with_gradients
from tests.oracles.nested_autograd import Derivatives

pytestmark = [
    pytest.mark.filterwarnings("ignore:.torch.jit.*is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad"),
]

# --------------------------------------------------------------------------------------------------------------- modules


def hooked(register: Callable[[nn.Module], Any]) -> nn.Module:
    net = network()
    register(net[0])
    return net


def wrapped(change: Callable[[nn.Module], Any], seed: int = 0) -> nn.Module:
    """A network whose linear layers are changed."""
    net = network(seed)
    for layer in net:
        if isinstance(layer, nn.Linear):
            change(layer)
    return net


class Checkpointed(nn.Module):
    """Half of a network is run again in the backward pass; dropout between draws the same numbers again."""

    def __init__(self, dropout: float = 0.0, use_reentrant: bool = False) -> None:
        super().__init__()
        self.net, self.dropout, self.use_reentrant = network(), dropout, use_reentrant

    def half(self, x: Tensor) -> Tensor:
        return F.dropout(self.net[:2](x), self.dropout)

    def forward(self, x: Tensor) -> Tensor:
        torch.manual_seed(5)
        return self.net[2:](checkpoint(self.half, x, use_reentrant=self.use_reentrant))


class Symmetric(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight.triu() + weight.triu(1).mT


class Spectral(nn.Module):
    """A layer in Fourier space with complex weights."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.weight = nn.Parameter(0.3 * torch.randn(3, 4, 4, dtype=torch.complex128))
        self.first, self.last = nn.Linear(2, 16).double(), nn.Linear(16, 2).double()

    def forward(self, x: Tensor) -> Tensor:
        spectrum = torch.fft.rfft(self.first(x).unflatten(-1, (4, 4)))
        mixed = torch.einsum("...ik,kio->...ok", spectrum, self.weight)
        return self.last(torch.tanh(torch.fft.irfft(mixed, n=4)).flatten(-2))


class ComplexLayers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = (nn.Linear(*n, dtype=torch.complex128) for n in ((2, 5), (5, 2)))

    def forward(self, x: Tensor) -> Tensor:
        z = torch.tanh(self.first(x.to(torch.complex128)))
        return self.last(torch.polar(z.abs(), z.angle() / 2)).real


class Branching(nn.Module):
    """Loops and branches, for TorchScript."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.norm = nn.Linear(2, 2).double(), nn.LayerNorm(2, elementwise_affine=False)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.zeros_like(x)
        for k in range(x.shape[-1]):
            y += torch.sin(self.layer(x) * (k + 1)) ** 2
        y[:, 0] = y[:, 1].clone() * x[:, 0]
        return torch.cat([y, x * 2 + 1], -1)[:, 1:3] if bool(y.shape[0] > 3) else y


Pair = Callable[[], tuple[nn.Module, nn.Module]]


def same(build: Callable[[], nn.Module]) -> Pair:
    """The module is its own reference."""
    return lambda: (build(),) * 2


def made(make: Callable[[nn.Module], nn.Module], of: Callable[[], nn.Module] = network) -> Pair:
    """Something made from a module, which shares its parameters, against the module itself."""

    def pair() -> tuple[nn.Module, nn.Module]:
        net = of()
        return make(net), net

    return pair


MODULES: dict[str, Pair] = {
    "a hook that changes the output": same(lambda: hooked(lambda m: m.register_forward_hook(lambda m, x, y: y**2))),
    "a hook that changes the input": same(
        lambda: hooked(lambda m: m.register_forward_pre_hook(lambda m, x: x[0].sin()))
    ),
    "a hook with names": same(
        lambda: hooked(lambda m: m.register_forward_hook(lambda m, x, named, y: y * 2, with_kwargs=True))
    ),
    "a hook on a parameter": same(lambda: hooked(lambda m: m.weight.register_hook(lambda gradient: 3 * gradient))),
    "weight norm": same(lambda: wrapped(parametrizations.weight_norm)),
    "spectral norm": same(lambda: wrapped(parametrizations.spectral_norm).eval()),
    "orthogonal weights": same(lambda: wrapped(parametrizations.orthogonal)),
    "a parametrization": same(
        lambda: hooked(lambda m: parametrize.register_parametrization(m, "weight", nn.Identity()))
    ),
    "pruned": same(lambda: wrapped(lambda m: prune.l1_unstructured(m, "weight", amount=0.3))),
    "checkpoint": same(Checkpointed),
    "checkpoint with dropout": same(partial(Checkpointed, 0.5)),
    "complex layers": same(ComplexLayers),
    "Fourier layer": same(Spectral),
    "torch.fx": made(torch.fx.symbolic_trace),
    "torch.export": made(lambda net: torch.export.export(net, (X,)).module()),
    "TorchScript": made(torch.jit.script),
    "TorchScript with branches": made(torch.jit.script, Branching),
    "a trace": made(lambda net: torch.jit.trace(net, X)),
    "torch.compile": made(lambda net: torch.compile(net, backend="eager")),
    "a copy": made(lambda net: nn.Sequential(*net)),
}


@pytest.mark.parametrize("name", MODULES)
def test_modules_with_their_parameters(name: str) -> None:
    """Three times: TorchScript runs an optimised graph, which detaches parameters, from the second call on."""
    module, plain = MODULES[name]()
    expected = nested(plain, list(plain.parameters()))
    for _ in range(3):
        assert close(lifted(module, list(module.parameters())), expected)


def test_symmetric_weights_and_checkpoints_of_sequences() -> None:
    layer = nn.Linear(2, 2).double()
    parametrize.register_parametrization(layer, "weight", Symmetric())
    net = nn.Sequential(layer, nn.Tanh(), nn.Linear(2, 2).double())
    parameters = list(net.parameters())
    expected = nested(net, parameters)
    assert close(lifted(net, parameters), expected)
    with parametrize.cached():
        assert close(lifted(net, parameters), expected)
    assert close(lifted(lambda x: checkpoint_sequential(net, 2, x, use_reentrant=False), parameters), expected)


def test_frozen_modules_without_parameters() -> None:
    net = network().eval()
    for frozen in (torch.jit.freeze(torch.jit.script(net)), torch.jit.optimize_for_inference(torch.jit.script(net))):
        assert close(lifted(frozen), nested(net))


# -------------------------------------------------------------------------------------------------------------- contexts


class PassOn(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


class PassOnBelow(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


@contextmanager
def global_hook() -> Iterator[None]:
    hook = nn.modules.module.register_module_forward_hook(lambda module, x, y: None)
    yield
    hook.remove()


CONTEXTS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "saved tensors on the CPU": torch.autograd.graph.save_on_cpu,
    "saved tensors as arrays": lambda: torch.autograd.graph.saved_tensors_hooks(Tensor.numpy, torch.from_numpy),
    "anomaly detection": lambda: torch.autograd.set_detect_anomaly(True, check_nan=True),
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "a device": lambda: torch.device("cpu"),
    "a function mode": PassOn,
    "a dispatch mode": PassOnBelow,
    "a global hook": global_hook,
    "no optimised TorchScript": lambda: torch.jit.optimized_execution(False),
}


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
@pytest.mark.parametrize("name", CONTEXTS)
def test_contexts_around(name: str) -> None:
    net = network()
    parameters = list(net.parameters())
    with CONTEXTS[name]():
        results = ap.evaluate(net, X, *OPERATORS)
    assert close(with_gradients(results, parameters), nested(net, parameters))


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_a_checkpoint_around_an_evaluation(use_reentrant: bool) -> None:
    net, points = network(), X.clone().requires_grad_()
    results = checkpoint(lambda p: ap.evaluate(net, p, *OPERATORS), points, use_reentrant=use_reentrant)
    squares(results).backward()
    expected = nested(net, list(net.parameters()))
    assert close([y.detach() for y in results] + [p.grad for p in net.parameters()], expected)  # type: ignore[misc]


def test_forward_mode_around() -> None:
    """Along (1, 1), of points and of parameters: the tangent of ∂x u is one order higher."""
    net = network()
    with forward_ad.dual_level():
        points = forward_ad.make_dual(X, torch.ones_like(X))
        tangent = forward_ad.unpack_dual(ap.evaluate(net, points, dx)).tangent
        expected = Derivatives(net, X).operator((dx * (dx + dy)).terms)
        assert torch.allclose(tangent, expected)
        bias = forward_ad.make_dual(net[4].bias.detach(), torch.ones(2).double())
        value = ap.evaluate(lambda x: torch.func.functional_call(net, {"4.bias": bias}, (x,)), X, 1, dx)[0]
        assert torch.allclose(forward_ad.unpack_dual(value).tangent, torch.ones_like(X))


def test_gradients_that_are_switched_on_and_off() -> None:
    net = network()
    for mode, recorded in ((torch.set_grad_enabled(False), False), (nullcontext(), True)):
        with mode:
            assert ap.evaluate(net, X, dx).requires_grad is recorded

    def constants_inside(x: Tensor) -> Tensor:
        with torch.no_grad():
            weight = 2 * net[0].weight
        return torch.tanh(x @ weight.mT)

    assert close(lifted(constants_inside), nested(constants_inside))
    with torch.no_grad():
        assert ap.evaluate(lambda x: torch.enable_grad()(net)(x), X, dx).requires_grad
        assert ap.evaluate(lambda x: torch.no_grad()(net)(x), X, dx).shape == X.shape
    with torch.inference_mode():
        points = X * 1
    ap.evaluate(net, points, C.laplacian).sum().backward()
    assert net[0].weight.grad is not None


def test_a_parameter_as_points() -> None:
    net, points = network(), nn.Parameter(X.clone())
    found = ap.evaluate(net, points, dx**2)
    assert type(found) is Tensor
    (gradient,) = torch.autograd.grad(found.sum(), points)
    reference = Derivatives(net, X)
    expected = [reference.operator((d * dx**2).terms).sum(-1) for d in C]
    assert torch.allclose(gradient, torch.stack(expected, -1))


TRANSFORMS: dict[str, Callable[[Function], Any]] = {
    "grad": lambda f: ap.grad(lambda x: f(x).square().sum())(X.float()),
    "hessian": lambda f: ap.hessian(lambda x: f(x).square().sum())(X.float()),
    "hessian in one row": lambda f: ap.hessian(f)(X[0].float()),
    "hvp": lambda f: ap.hvp(lambda x: f(x).square().sum(), X.float(), X.float()),
    "vjp": lambda f: ap.vjp(f, X.float())[1](X.float())[0],
    "jvp": lambda f: ap.jvp(f, (X.float(),), (X.float(),))[1],
    "jacobian": lambda f: ap.jacobian(f)(X[0].float()),
    "laplacian": lambda f: ap.laplacian(f)(X.float()),
    "under vmap": lambda f: vmap(lambda x: ap.evaluate(f, x, C.laplacian))(X.float()),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_autocast_around_does_not_lower_the_precision(name: str) -> None:
    net = network().float()
    expected = TRANSFORMS[name](net)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(TRANSFORMS[name](net), expected)


def test_autocast_inside_is_what_the_function_says() -> None:
    """Its results are of lower precision as those of the function itself, and say so by their dtype."""
    net = network().float()
    f = torch.autocast("cpu", dtype=torch.bfloat16)(net)
    value, slope = ap.evaluate(f, X.float(), 1, dx)
    assert value.dtype == slope.dtype == f(X.float()).dtype == torch.bfloat16
    assert torch.allclose(slope.float(), ap.evaluate(net, X.float(), dx), atol=0.02)


# --------------------------------------------------------------------------------------------------------------- refusals


def in_script(x: Tensor) -> Tensor:
    return x * float(x.sum())


def cut_in_script(x: Tensor) -> Tensor:
    return x * x.detach()


def listed(x: Tensor) -> Tensor:
    numbers: list[float] = x[0].tolist()
    return x * numbers[0]


def counted(x: Tensor) -> Tensor:
    with FlopCounterMode(display=False):
        return network()(x)


def dual(x: Tensor) -> Tensor:
    with forward_ad.dual_level():
        return forward_ad.unpack_dual(torch.sin(forward_ad.make_dual(x, torch.ones_like(x)))).tangent


def without_gradients(x: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.sin(x)


REFUSED: dict[str, tuple[Callable[[], Function], type[ApolarError], str]] = {
    "no_grad inside": (lambda: without_gradients, DetachedError, r"torch\.no_grad"),
    "inference_mode inside": (lambda: torch.inference_mode()(network()), DetachedError, "switches gradients off"),
    "a reentrant checkpoint": (lambda: Checkpointed(use_reentrant=True), DetachedError, "use_reentrant=False"),
    "a backward hook": (
        lambda: hooked(lambda m: m.register_full_backward_hook(lambda m, x, y: None)),
        DetachedError,
        "a backward hook",
    ),
    "a number in TorchScript": (lambda: torch.jit.script(in_script), DetachedError, "takes a value"),
    "detach in TorchScript": (lambda: torch.jit.script(cut_in_script), DetachedError, "detach takes a value"),
    "a list in TorchScript": (lambda: torch.jit.script(listed), FunctionError, "Cannot access data pointer"),
    "counted operations": (lambda: counted, UnsupportedOperator, "grad_fn.*hooks"),
    "recurrence in TorchScript": (
        lambda: torch.jit.script(nn.Sequential(nn.GRU(2, 2).double())),
        UnsupportedOperator,
        "plain tensor",
    ),
    "forward mode by hand": (lambda: dual, UnsupportedOperator, "_make_dual.*ap.grad"),
    "autograd.functional": (
        lambda: lambda x: torch.autograd.functional.jacobian(torch.sin, x, create_graph=True),
        DetachedError,
        "detach takes a value",
    ),
    "a trace inside": (lambda: lambda x: torch.jit.trace(torch.sin, (x,))(x), FunctionError, "works on plain tensors"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_lose_derivatives_is_refused(name: str) -> None:
    build, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        ap.evaluate(build(), X, dx)
