"""What PyTorch puts around a function and inside of it: modes, hooks, checkpoints, torch.func, TorchScript, threads."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import pytest
import torch
import torch.autograd.forward_ad as forward_ad
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, stack_module_state, vjp, vmap
from torch.nn.utils import parametrizations, parametrize, prune
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint, checkpoint_sequential
from torch.utils.data import DataLoader, TensorDataset

import apolar as ap
from apolar.errors import ApolarError, DetachedError, FunctionError, UnsupportedOperator
from tests.oracles.nested_autograd import Derivatives

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")

C = ap.coordinates("x y")
dx, dy = C
OPERATORS = (C.one, dx, C.laplacian, dx**2 * dy)
X = torch.randn(5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
Function = Callable[..., Any]


def network(seed: int = 0, last: int = 2) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, last)).double()


def squares(results: Sequence[Tensor]) -> Tensor:
    """One number that all results take part in."""
    return sum((((k + 1) * y) ** 2).sum() for k, y in enumerate(results))  # type: ignore[return-value]


def with_gradients(results: Sequence[Tensor], parameters: Sequence[Tensor]) -> list[Tensor]:
    gradients = torch.autograd.grad(squares(results), parameters, materialize_grads=True) if parameters else ()
    return [*(y.detach() for y in results), *gradients]


def lifted(f: Function, parameters: Sequence[Tensor] = ()) -> list[Tensor]:
    return with_gradients(ap.evaluate(f, X, *OPERATORS), parameters)


def nested(f: Function, parameters: Sequence[Tensor] = ()) -> list[Tensor]:
    derivatives = Derivatives(f, X)
    return with_gradients([derivatives.operator(p.terms) for p in OPERATORS], parameters)


def close(found: Sequence[Tensor], expected: Sequence[Tensor]) -> bool:
    return len(found) == len(expected) and all(
        torch.allclose(a, b, rtol=1e-9, atol=1e-10) for a, b in zip(found, expected, strict=True)
    )


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
    "a hook that changes the input": same(lambda: hooked(lambda m: m.register_forward_pre_hook(lambda m, x: x[0].sin()))),
    "a hook with names": same(
        lambda: hooked(lambda m: m.register_forward_hook(lambda m, x, named, y: y * 2, with_kwargs=True))
    ),
    "a hook on a parameter": same(lambda: hooked(lambda m: m.weight.register_hook(lambda gradient: 3 * gradient))),
    "weight norm": same(lambda: wrapped(parametrizations.weight_norm)),
    "spectral norm": same(lambda: wrapped(parametrizations.spectral_norm).eval()),
    "orthogonal weights": same(lambda: wrapped(parametrizations.orthogonal)),
    "symmetric weights": same(
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


# ------------------------------------------------------------------------------------------------------------ torch.func

NET = network(1)
ROWS = [nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2)).double() for _ in range(3)]
MEMBERS = {name: p.detach().requires_grad_() for name, p in stack_module_state(ROWS)[0].items()}


def member(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
    return functional_call(ROWS[0], parameters, (x,))


def number(a: Tensor) -> Tensor:
    return NET(a).prod(-1)


Inside = tuple[Function, Sequence[Tensor]]
INSIDE: dict[str, Function] = {
    "vmap": lambda x: vmap(NET)(x),
    "vmap over columns": lambda x: vmap(NET, in_dims=1, out_dims=-1)(x.mT).mT,
    "vmap of two": lambda x: vmap(lambda a, b: NET(a) * b)(x, x**2),
    "vmap of one of two": lambda x: vmap(lambda a, b: NET(a) * NET(b), in_dims=(0, None))(x, x[0] * 0 + X[0]),
    "vmap of a constant beside": lambda x: vmap(lambda a, b: (a * NET(b)).sum(0), in_dims=(1, None), out_dims=0)(X[:2].mT[:1].expand(2, 2), x).mean(0),
    "vmap twice": lambda x: vmap(lambda a: vmap(lambda e, b: (NET(a) * e * b).sum(), (0, None))(a, a))(x),
    "vmap in chunks": lambda x: vmap(NET, chunk_size=2)(x),
    "vmap of a nest": lambda x: vmap(lambda d: NET(d["a"]) * d["b"][0])({"a": x, "b": [x.sin()]}),
    "vmap with dropout": lambda x: (torch.manual_seed(0), vmap(lambda a: F.dropout(NET(a)), randomness="different")(x))[1],
    "vmap with one mask": lambda x: (torch.manual_seed(0), vmap(lambda a: torch.rand_like(a) * NET(a), randomness="same")(x))[1],
    "an ensemble": lambda x: vmap(member, in_dims=(0, None))(MEMBERS, x).prod(0),
    "gradients of an ensemble": lambda x: vmap(lambda p: grad(lambda y: member(p, y).pow(2).sum())(x))(MEMBERS).sum(0),
    "gradients by a weight": lambda x: vmap(grad(lambda w, a: F.linear(NET(a), w).prod()), (None, 0))(ROWS[0][2].weight[:, :2], x).sum(1),
    "functional_call": lambda x: functional_call(NET, {"4.bias": NET[4].bias * 2}, (x,)),
    "grad": lambda x: vmap(grad(number))(x),
    "grad of two": lambda x: sum(grad(lambda a, b: (NET(a) * b).sum(), argnums=(0, 1))(x, x.sin())),
    "grad and more": lambda x: grad(lambda a: (NET(a).pow(2).sum(), None), has_aux=True)(x)[0],
    "grad by a constant": lambda x: x * grad(lambda t: (NET(x * t) ** 2).sum())(torch.ones(())),
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
    return torch.stack([gradient(g, False) for g in first if g.requires_grad])


def as_matrix(blocks: dict[str, dict[str, Tensor]]) -> Tensor:
    sizes = {name: p.numel() for name, p in PARAMETERS.items()}
    rows = [torch.cat([blocks[a][b].reshape(sizes[a], -1) for b in sizes], 1) for a in sizes if a != "2.bias"]
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


# -------------------------------------------------------------------------------------------------- copies, life, threads

COPIES: dict[str, Callable[[nn.Module], nn.Module]] = {
    "pickle": lambda net: pickle.loads(pickle.dumps(net)),
    "deepcopy": copy.deepcopy,
    "torch.save": lambda net: saved_and_loaded(net),
    "a state": lambda net: (other := network(9), other.load_state_dict(net.state_dict()))[0],
}


def saved_and_loaded(net: nn.Module) -> nn.Module:
    buffer = io.BytesIO()
    torch.save(net, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=False)


@pytest.mark.parametrize("name", COPIES)
def test_modules_can_be_copied_after_an_evaluation(name: str) -> None:
    net = network()
    expected = lifted(net)
    assert close(lifted(COPIES[name](net)), expected)


def test_operators_can_be_copied() -> None:
    for make in (copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))):
        assert make(C.laplacian) == C.laplacian
        assert ap.algebra(make(C.laplacian)) is ap.algebra(C.laplacian)


@pytest.mark.parametrize("use", [lambda net: net, lambda net: lambda x: net(x), lambda net: vmap(net)])
def test_modules_are_not_kept_alive(use: Callable[[nn.Module], Function]) -> None:
    net = network()
    lifted(use(net), list(net.parameters()))
    held = [weakref.ref(net), *map(weakref.ref, net.parameters())]
    del net
    gc.collect()
    assert not any(reference() is not None for reference in held)


THREADED: list[tuple[Function, tuple[ap.Operator, ...]]] = [
    (network(0), OPERATORS),
    (network(1), (C.bilaplacian,)),
    (network(2), (dx**5,)),
    (torch.jit.script(network(3)), (dx * dy, dy**3)),
    (lambda x: torch.sin(x) * x.prod(-1, keepdim=True), (dx**3 - dy,)),
    (lambda x: ap.evaluate(lambda y: torch.exp(y * y.sum(-1, keepdim=True)), x, dx), (dy, dx**2)),
    (lambda x: vmap(jacrev(lambda a: torch.sin(a) * a.prod()))(x).flatten(1), (C.laplacian,)),
    (lambda x: torch.no_grad()(network(4))(x.sin()), (dx**2 * dy**2, dx)),
]


def job(k: int) -> list[Tensor]:
    f, operators = THREADED[k]
    with torch.set_grad_enabled(k < 7):
        results = ap.evaluate(f, X, *operators)
        results = results if isinstance(results, tuple) else (results,)
        return with_gradients(results, list(f.parameters()) if isinstance(f, nn.Module) else [])


def test_threads_do_not_disturb_each_other() -> None:
    """Eight functions with operators of their own at once, some of them nested, some without gradients."""
    alone = [job(k) for k in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            assert all(close(found, expected) for found, expected in zip(pool.map(job, range(8)), alone))


class Laplacians(TensorDataset):
    def __getitem__(self, k: Any) -> Any:
        return ap.evaluate(NET, X[k], C.laplacian).detach()


@pytest.mark.parametrize("workers", [0, 1])
def test_evaluations_in_a_data_loader(workers: int) -> None:
    batches = list(DataLoader(Laplacians(X), batch_size=2, num_workers=workers))
    assert torch.allclose(torch.cat(batches), ap.evaluate(NET, X, C.laplacian))
