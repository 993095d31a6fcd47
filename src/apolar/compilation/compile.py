"""Operators and residuals as fixed lists of tensor operations: captured at the first call, replayed at the next ones.

Above ``residual``. torch.compile refuses to differentiate twice, so that nested derivatives cannot be compiled by it; a
lifted pass is differentiated once.
"""

from __future__ import annotations

import types
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from apolar.algebras.operators import Operator
from apolar.compilation.capture import capture, cotangents
from apolar.engine.torch_private import tree_flatten, tree_unflatten
from apolar.errors import FunctionError
from apolar.evaluation.evaluate import check_operators, evaluate
from apolar.evaluation.row_independence import reachable_modules
from apolar.kernels.settings import settings
from apolar.kernels.sources import postponable
from apolar.residuals.residual import Residual


def compile(*targets: Operator | float | Residual | Callable[..., Any]) -> Compiled:
    """A differential operator or a residual whose passes are captured once for each shape, and replayed.

    What is captured are the tensor operations of the forward pass and of reverse mode, with compiled programs for the
    elementwise functions. Python runs at the first call only: branches, numbers and attributes keep the meaning that they
    had then. Parameters and other tensors are read anew in every call, and random numbers are drawn anew. Another shape,
    dtype or device, other parameters, or modules in another mode are captured in turn. A second derivative by parameters
    takes the path without capture.

    Args:
        targets: operators, as ``evaluate`` takes them behind the points; or one residual; or one function that uses apolar.

    Returns:
        A function with the arguments of ``evaluate(f, points)``, of the residual, or of the given function.

    Raises:
        CaptureError: the function looks at values, by an ``if`` or ``.item()``.
        OperatorError: neither a function nor operators.

    >>> dx, dy = ap.coordinates("x y")
    >>> laplacian = ap.compile(dx**2 + dy**2)
    >>> laplacian(lambda p: (p**2).sum(-1), torch.ones(3, 2))
    tensor([4., 4., 4.])
    """
    if len(targets) == 1 and callable(targets[0]):
        return Compiled(targets[0])
    check_operators(targets)  # type: ignore[arg-type]

    def operators(f: Callable[..., Any], points: Any) -> Any:
        return evaluate(f, points, *targets)  # type: ignore[arg-type]

    return Compiled(operators)


class Compiled:
    """A function that replays what it did; made by :func:`compile`.

    Attributes:
        function: what is captured.
        captures: how often that happened.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.captures = function, 0
        self._steps: dict[Any, Step] = {}

    def __call__(self, *args: Any, **named: Any) -> Any:
        """What the function returns."""
        leaves, structure = tree_flatten((args, named))
        tensors = [x for x in leaves if isinstance(x, Tensor)]
        if not all(map(postponable, tensors)):
            return self.function(*args, **named)
        fixed = [self.function, *(x for x in leaves if not isinstance(x, Tensor))]
        states = [_state(m) for x in fixed for m in reachable_modules(x)]
        key = (structure, torch.is_grad_enabled(), *map(_signature, tensors), *map(_identity, fixed), *states)
        step = self._steps.get(key)
        if step is None:
            self._steps = {known: s for known, s in self._steps.items() if _alive(known)}
            step = self._steps[key] = Step(self.function, leaves, structure)
            self.captures += 1
        return step(leaves)

    def __repr__(self) -> str:
        return f"compiled {self.function!r}, with {self.captures} captures"


class Step:
    """The passes for tensors of certain shapes."""

    def __init__(self, function: Callable[..., Any], leaves: Sequence[Any], structure: Any) -> None:
        self.function, self.structure = function, structure
        self.places = [k for k, x in enumerate(leaves) if isinstance(x, Tensor)]
        inputs = [leaves[k].detach().requires_grad_(leaves[k].requires_grad) for k in self.places]
        results, self.returned = tree_flatten(self.again(leaves, inputs))
        if not results or not all(isinstance(y, Tensor) for y in results):
            raise FunctionError("what is compiled must return a tensor, or a tuple, list or dictionary of tensors")
        self.sources = [x for x in _sources(results) if not any(x is y for y in inputs)]
        self.capture = capture(lambda *x: tree_flatten(self.again(leaves, x))[0], inputs, self.sources, results)
        self.graphed: Callable[..., Any] | None = None
        if all(x.is_cuda for x in inputs):
            with settings(kernels="compiled"):
                self.graphed = torch.cuda.make_graphed_callables(
                    lambda *x: Replay.apply(self, leaves, *x), (*inputs, *self.sources), allow_unused_input=True
                )

    def __call__(self, leaves: Sequence[Any]) -> Any:
        """The results for other tensors of the same shapes."""
        tensors = [*(leaves[k] for k in self.places), *self.sources]
        results = Replay.apply(self, leaves, *tensors) if self.graphed is None else self.graphed(*tensors)
        return tree_unflatten(list(results), self.returned)

    def again(self, leaves: Sequence[Any], tensors: Sequence[Tensor]) -> Any:
        """The same without capture, with the tensors in their places among the arguments."""
        given = dict(zip(self.places, tensors))
        args, named = tree_unflatten([given.get(k, x) for k, x in enumerate(leaves)], self.structure)
        return self.function(*args, **named)


class Replay(torch.autograd.Function):
    """The passes of a step, as autograd sees them."""

    @staticmethod
    def forward(ctx: Any, step: Step, leaves: Sequence[Any], *tensors: Tensor) -> tuple[Tensor, ...]:
        found = step.capture.forward(*tensors)
        results, read = found[: step.capture.results], found[step.capture.results :]
        ctx.step, ctx.leaves, ctx.count = step, leaves, len(tensors)
        ctx.save_for_backward(*tensors, *read)
        return tuple(results)

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors
        tensors, read = saved[: ctx.count], saved[ctx.count :]
        if torch.is_grad_enabled():
            results, _ = tree_flatten(ctx.step.again(ctx.leaves, tensors))
            return None, None, *cotangents(tensors, results, given, create_graph=True)
        return None, None, *ctx.step.capture.backward(*read, *(w.contiguous() for w in given))


# ------------------------------------------------------------------------------------------------- what a capture holds for


class Same:
    """An object in a key: equal to itself only, and not kept alive."""

    __slots__ = ("number", "reference")

    def __init__(self, x: Any) -> None:
        self.number = id(x)
        try:
            self.reference: Callable[[], Any] = weakref.ref(x)
        except TypeError:
            self.reference = lambda: x

    @property
    def alive(self) -> bool:
        """Whether the object is still there."""
        return self.reference() is not None

    def __hash__(self) -> int:
        return self.number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.number == other.number and self.alive and other.alive


def _alive(key: Any) -> bool:
    """Whether all objects in a key are."""
    return key.alive if type(key) is Same else all(map(_alive, key)) if type(key) is tuple else True


VALUES = (int, float, complex, bool, str, bytes, type(None))
"""Types that are compared by value."""


def _identity(x: Any) -> Any:
    """What tells whether a function or a value is the same as before: a function made anew is, if it holds the same."""
    if isinstance(x, VALUES):
        return type(x), x
    if isinstance(x, Residual):
        return Residual, _identity(x.equation)
    if not isinstance(x, types.FunctionType):
        return Same(x)
    names = [x.__globals__.get(name) for name in x.__code__.co_names]
    cells = [cell.cell_contents for cell in x.__closure__ or ()]
    return (
        x.__code__,
        *(_held(c) for c in (*cells, *(x.__defaults__ or ()), *(x.__kwdefaults__ or {}).values())),
        *((type(c), c) for c in names if isinstance(c, VALUES)),
    )


def _held(x: Any) -> Any:
    return (type(x), x) if isinstance(x, VALUES) else Same(x)


def _signature(x: Tensor) -> tuple[Any, ...]:
    return x.shape, x.stride(), x.dtype, x.device, x.requires_grad


def _state(module: nn.Module) -> tuple[Any, ...]:
    """Which it is, in which mode, and which parameters and buffers it has."""
    tensors = (*module._parameters.values(), *module._buffers.values())
    return Same(module), module.training, *((id(x), *_signature(x)) for x in tensors if x is not None)


def _sources(results: Sequence[Tensor]) -> list[Tensor]:
    """The leaves of autograd's graph."""
    found: dict[int, Tensor] = {}
    waiting, seen = [y.grad_fn for y in results], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            found[id(node.variable)] = node.variable
        waiting += [following for following, _ in node.next_functions]
    return list(found.values())
