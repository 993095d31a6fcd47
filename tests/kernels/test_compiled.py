"""When calls are compiled, and that nothing but the time that they take tells."""

from __future__ import annotations

import multiprocessing
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad
from torch.utils._python_dispatch import TorchDispatchMode

import apolar as ap
from apolar.kernels import compiled
from apolar.kernels.composition import Composition

from .programs import ALGEBRAS, RULES, agree, composition, operands

C = ap.coordinates("x y")
dx, dy = C
OPERATORS = {
    "gradient": (dx, dy),
    "Laplacian": (C.laplacian,),
    "KdV": (C.one, dx**3 + dy),
    "biharmonic": (C.laplacian**2,),
}
TANH = next(rule for rule in RULES if rule.name == "tanh")


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows with every call of a compiled program."""
    calls: list[str] = []
    original = compiled.Kernel.__call__

    def counted(self: compiled.Kernel, *operands: Tensor) -> list[Tensor]:
        calls.append(self.make.__name__)
        return original(self, *operands)

    monkeypatch.setattr(compiled.Kernel, "__call__", counted)
    return calls


def points(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, 2, dtype=dtype, generator=torch.Generator().manual_seed(1))


def network(activation: nn.Module | None = None, dtype: torch.dtype = torch.float64) -> nn.Sequential:
    torch.manual_seed(3)
    activation = activation or nn.Tanh()
    return nn.Sequential(nn.Linear(2, 9), activation, nn.Linear(9, 8), activation, nn.Linear(8, 1)).to(dtype)


def both(compute: Callable[[], Any]) -> tuple[Any, Any]:
    with ap.settings(kernels="eager"):
        eager = compute()
    with ap.settings(kernels="compiled"):
        return eager, compute()


def close(found: Any, expected: Any, epsilon: float = 1e-11) -> bool:
    if isinstance(expected, Tensor):
        scale = max(1.0, float(expected.detach().abs().max())) if expected.numel() else 1.0
        return found.dtype == expected.dtype and torch.allclose(found, expected, rtol=0, atol=epsilon * scale)
    return len(found) == len(expected) and all(close(a, b, epsilon) for a, b in zip(found, expected, strict=True))


# ----------------------------------------------------------------------------------------------------- the same results

ACTIVATIONS = [
    nn.Tanh(), nn.SiLU(), nn.ELU(), nn.CELU(0.7), nn.SELU(), nn.Mish(), nn.ReLU(), nn.LeakyReLU(0.2), nn.Softplus(2.0),
    nn.GELU(), nn.GELU("tanh"), nn.Sigmoid(), nn.LogSigmoid(), nn.SiLU(inplace=True), nn.ReLU(inplace=True),
]  # fmt: skip


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_activations(activation: nn.Module, ran: list[str]) -> None:
    """With gradients by the parameters, through the modules as they are written."""
    net, x = network(activation), points(6)

    def compute() -> Any:
        u = ap.evaluate(net, x, C.one, C.laplacian)
        return *u, *torch.autograd.grad(sum((v**2).sum() for v in u), list(net.parameters()))

    eager, found = both(compute)
    assert close(found, eager)
    assert {"forward", "backward"} <= set(ran)


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "x²": lambda x: x**2,
    "x³ as a float": lambda x: x**3.0,
    "2ˣ": lambda x: 2**x,
    "exponent by name": lambda x: torch.pow(x, exponent=2),
    "√": lambda x: torch.sqrt(x * x + 1),
    "softplus by name": lambda x: F.softplus(x, beta=2),
    "elu by name": lambda x: F.elu(x, alpha=2),
    "x⁰": lambda x: x**0 * x,
}


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str, ran: list[str]) -> None:
    eager, found = both(lambda: ap.evaluate(FUNCTIONS[name], points(5), C.laplacian))
    assert close(found, eager)
    assert ran


SHAPES = [(0,), (1,), (7,), (2, 3), (3, 0), (2, 1, 3)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", OPERATORS)
def test_shapes(name: str, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    net, x = network(dtype=dtype), points(*shape, dtype=dtype)
    eager, found = both(lambda: ap.evaluate(net, x, *OPERATORS[name]))
    assert close(found, eager, 1e-11 if dtype == torch.float64 else 1e-4)


LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "contiguous": lambda x: x,
    "transposed": lambda x: x.mT.contiguous().mT,
    "strided": lambda x: torch.stack([x, x + 1], -1)[..., 0],
    "offset": lambda x: torch.cat([x[:1], x])[1:],
    "expanded": lambda x: x[:1].expand_as(x),
    "negative": torch._neg_view,
    "conjugated": lambda x: torch.complex(x, x).conj().imag,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_in_memory(layout: str, ran: list[str]) -> None:
    """Of operands and of cotangents, seen by the composition itself."""
    whole = composition(TANH, ALGEBRAS["Laplacian"], "stacked")
    g, w = operands(TANH, whole, 5, 3)
    g, w = LAYOUTS[layout](g), LAYOUTS[layout](w)
    expected = whole(g), whole.pull_back(g, w)[0]
    with torch.no_grad(), ap.settings(kernels="compiled"):
        found = compiled.compose(whole, g), compiled.pull_back(whole, g, w)[0]
    for a, b in zip(found, expected, strict=True):
        agree(a, b, 1e-12)


def test_negative_points() -> None:
    x = torch._neg_view(points(4))
    eager, found = both(lambda: ap.evaluate(torch.sin, x, C.laplacian))
    assert close(found, eager)
    assert close(found, -torch.sin(x))


@pytest.mark.parametrize("check", [torch.autograd.gradcheck, torch.autograd.gradgradcheck], ids=["first", "second"])
@pytest.mark.parametrize("name", OPERATORS)
def test_gradients(name: str, check: Callable[..., bool]) -> None:
    """By points and by a weight; the second derivative takes the differentiable path."""
    weight = (0.6 * points(2)).requires_grad_()
    x = points(3).requires_grad_()

    def compute(x: Tensor, weight: Tensor) -> Any:
        return ap.evaluate(lambda p: torch.tanh(p @ weight).sin(), x, *OPERATORS[name])

    with ap.settings(kernels="compiled"):
        assert check(compute, (x, weight))


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_of_torch(threads: int) -> None:
    net, x = network(), points(5000)

    def compute() -> Any:
        u = ap.evaluate(net, x, C.laplacian)
        return u, *torch.autograd.grad((u**2).sum(), list(net.parameters()))

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        eager, found = both(compute)
    finally:
        torch.set_num_threads(before)
    assert close(found, eager)


# ----------------------------------------------------------------------------------------------------------- when to compile


def fresh() -> Composition:
    """One of its own, that nobody has called yet."""
    return composition(TANH, ALGEBRAS["Laplacian"], "stacked")


def test_what_is_worth_it_is_compiled_within_ten_calls(ran: list[str]) -> None:
    whole = fresh()
    g, _ = operands(TANH, whole, 1000, 40)
    with ap.settings(kernels="auto"):
        results = [compiled.compose(whole, g) for _ in range(12)]
    assert len(ran) >= 2
    for result in results:
        agree(result, whole(g), 1e-12)


def test_small_calls_are_not_compiled_at_once(ran: list[str]) -> None:
    whole = fresh()
    g, _ = operands(TANH, whole, 3, 2)
    with ap.settings(kernels="auto"):
        for _ in range(compiled.CALLS - 1):
            compiled.compose(whole, g)
        (kernel,) = whole.kernels.values()
        assert kernel.builder is None
        compiled.compose(whole, g)
    assert kernel.builder is not None
    kernel.builder.join()


def test_small_calls_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fresh()
    g, _ = operands(TANH, whole, 3, 2)
    go_on = threading.Event()
    monkeypatch.setattr(compiled.Kernel, "_build", lambda kernel: go_on.wait(60))
    with ap.settings(kernels="auto"):
        for _ in range(2 * compiled.CALLS):
            compiled.compose(whole, g)  # would never come back
    (kernel,) = whole.kernels.values()
    go_on.set()
    kernel.builder.join()


def test_eager_never_compiles(ran: list[str]) -> None:
    whole = fresh()
    g, _ = operands(TANH, whole, 1000, 40)
    with ap.settings(kernels="eager"):
        for _ in range(20):
            compiled.compose(whole, g)
    assert not whole.kernels
    assert not ran


def test_compiled_compiles_before_the_first_call(ran: list[str]) -> None:
    whole = fresh()
    g, _ = operands(TANH, whole, 1, 1)
    with ap.settings(kernels="compiled"):
        compiled.compose(whole, g)
    assert ran == ["forward"]


# ------------------------------------------------------------------------------------------------- threads and processes


def together(count: int, work: Callable[[], Any]) -> list[Any]:
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


class Slow(threading.Thread):
    """A thread that takes its time to start."""

    def start(self) -> None:
        threading.Event().wait(0.1)
        super().start()


def test_threads_wait_for_the_same_program(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fresh()
    g, _ = operands(TANH, whole, 5, 4)
    expected, plain = whole(g), threading.Thread
    monkeypatch.setattr(compiled.threading, "Thread", Slow)
    with ap.settings(kernels="compiled"):
        results: list[Any] = []
        threads = [plain(target=lambda: results.append(compiled.compose(whole, g))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(results) == 4
    assert close(results, [expected] * 4)


def test_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Any) -> None:
        raise RuntimeError("can't start new thread")

    whole = fresh()
    g, _ = operands(TANH, whole, 5, 4)
    monkeypatch.setattr(compiled.threading.Thread, "start", refuse)
    with ap.settings(kernels="compiled"):
        assert close(compiled.compose(whole, g), whole(g))


def test_several_threads_evaluate_at_once() -> None:
    """With in-place operations, at which everything that waits is computed."""
    net, x = network(), points(50)

    def f(p: Tensor) -> Tensor:
        h = torch.tanh(net[0](p))
        late = torch.sin(net[0](p))
        z = h * 1
        z.add_(1)
        return net[4](net[2](h).sin()[..., :8]) + (late * z).sum(-1, keepdim=True)

    def compute() -> Tensor:
        for _ in range(40):
            u = ap.evaluate(f, x, C.laplacian)
        return u.detach()

    expected = compute()
    with ap.settings(kernels="compiled"):
        assert close(together(6, compute), [expected] * 6)


def _in_child(queue: Any, net: nn.Module, x: Tensor) -> None:
    queue.put(ap.evaluate(net, x, C.laplacian).tolist())


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_after_use() -> None:
    net, x = network().requires_grad_(False), points(9)
    with ap.settings(kernels="compiled"):
        expected = ap.evaluate(net, x, C.laplacian)
        context = multiprocessing.get_context("fork")
        queue = context.SimpleQueue()
        child = context.Process(target=_in_child, args=(queue, net, x))
        child.start()
        child.join(60)
    assert child.exitcode == 0
    assert close(torch.tensor(queue.get(), dtype=torch.float64), expected)


# ----------------------------------------------------------------------------------------------- where somebody looks on


class Names(TorchDispatchMode):
    """Writes down what is called."""

    def __init__(self) -> None:
        super().__init__()
        self.called: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.called.append(str(func))
        return func(*args, **(kwargs or {}))


def laplacian(x: Tensor) -> Tensor:
    result: Tensor = ap.evaluate(lambda p: torch.tanh(p).sin().sum(-1, keepdim=True), x, C.laplacian)
    return result


def under_a_mode(x: Tensor) -> Tensor:
    with Names() as mode:
        found = laplacian(x)
    assert any("tanh" in name for name in mode.called)
    return found


def forward_mode(x: Tensor) -> Tensor:
    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(laplacian(forward_ad.make_dual(x, torch.ones_like(x)))).tangent
    assert tangent is not None
    return tangent


def forward_mode_by_a_parameter(x: Tensor) -> Tensor:
    with forward_ad.dual_level():
        w = forward_ad.make_dual(torch.ones(2, dtype=x.dtype), torch.ones(2, dtype=x.dtype))
        tangent = forward_ad.unpack_dual(ap.evaluate(lambda p: torch.tanh(p * w), x, C.laplacian)).tangent
    assert tangent is not None
    return tangent


def traced(x: Tensor) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trace = torch.jit.trace(laplacian, torch.zeros_like(x), check_trace=False)
    result: Tensor = trace(x)
    return result


def batched_gradients(x: Tensor) -> Tensor:
    w = torch.ones(2, dtype=x.dtype, requires_grad=True)
    u = ap.evaluate(lambda p: torch.tanh(p * w), x, C.laplacian)
    directions = torch.eye(u.numel(), dtype=x.dtype).reshape(-1, *u.shape)
    return torch.autograd.grad(u, w, directions, is_grads_batched=True)[0]


def inference(x: Tensor) -> Tensor:
    with torch.inference_mode():
        found = laplacian(x)
    return found.clone()


def fake(x: Tensor) -> Tensor:
    whole = composition(TANH, ALGEBRAS["gradient"], "stacked")
    g, mode = torch.stack([x, x, x]), FakeTensorMode()
    with mode:
        found = compiled.compose(whole, mode.from_tensor(g))
    return torch.zeros(found.shape, dtype=found.dtype)


def ambient_autocast(x: Tensor) -> Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found: Tensor = ap.evaluate(network(), x, C.laplacian)
    return found.detach()


def profiled(x: Tensor) -> Tensor:
    with torch.profiler.profile():
        return laplacian(x)


class Marked(Tensor):
    """A subclass that is like a tensor."""


WATCHED: dict[str, Callable[[Tensor], Tensor]] = {
    "dispatch mode": under_a_mode,
    "vmap": lambda x: torch.func.vmap(laplacian)(x),
    "grad": torch.func.grad(lambda x: laplacian(x).sum()),
    "jacfwd": torch.func.jacfwd(lambda x: laplacian(x).sum(0)),
    "jvp": lambda x: torch.func.jvp(laplacian, (x,), (torch.ones_like(x),))[1],
    "forward mode": forward_mode,
    "forward mode by a parameter": forward_mode_by_a_parameter,
    "trace": traced,
    "batched gradients": batched_gradients,
    "inference mode": inference,
    "fake tensors": fake,
    "autocast around": ambient_autocast,
    "profiler": profiled,
    "nested": lambda x: ap.laplacian(lambda p: laplacian(p))(x),
    "subclass": lambda x: laplacian(x.as_subclass(Marked)).as_subclass(Tensor),
}


@pytest.mark.parametrize("name", WATCHED)
def test_whoever_looks_on_sees_the_same(name: str) -> None:
    eager, found = both(lambda: WATCHED[name](points(4)))
    assert eager.dtype == torch.float64
    assert close(found, eager)


@contextmanager
def nothing_runs(ran: list[str]) -> Iterator[None]:
    before = len(ran)
    yield
    assert len(ran) == before


@pytest.mark.parametrize(
    "name", ["vmap", "grad", "jacfwd", "jvp", "dispatch mode", "forward mode", "trace", "fake tensors"]
)
def test_the_eager_path_is_taken_there(name: str, ran: list[str]) -> None:
    with ap.settings(kernels="compiled"), nothing_runs(ran):
        WATCHED[name](points(4))


def test_a_trace_has_the_operations_in_it() -> None:
    with ap.settings(kernels="compiled"):
        x = points(4)
        assert close(traced(x), laplacian(x))


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128, torch.float16, torch.bfloat16], ids=str)
def test_other_dtypes_take_the_eager_path(dtype: torch.dtype, ran: list[str]) -> None:
    x = points(4).to(dtype)
    eager, found = both(lambda: laplacian(x))
    assert found.dtype == dtype
    assert torch.equal(found, eager)
    assert not ran


def test_results_are_nobody_elses(ran: list[str]) -> None:
    """Large results of one call stay what they are in the next ones."""
    net: Sequence[Tensor] = [points(20_000, dtype=torch.float32) * k for k in (1, 2, 3)]
    with ap.settings(kernels="compiled"):
        found = [laplacian(x) for x in net]
        copies = [y.clone() for y in found]
        for x in net:
            laplacian(-x)
    assert all(torch.equal(a, b) for a, b in zip(found, copies, strict=True))
