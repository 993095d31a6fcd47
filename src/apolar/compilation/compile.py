"""Operators and residuals as fixed lists of tensor operations: captured at the first call, replayed at the next ones.

Above ``residual``. torch.compile refuses to differentiate twice, so that nested derivatives cannot be compiled by it; a
lifted pass is differentiated once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter, methodcaller
from typing import Any

import torch
from torch import Tensor

from apolar.algebras.operators import Operator
from apolar.compilation.capture import capture, cotangents
from apolar.engine.context import capturing
from apolar.engine.guard import Guard, Memory, likeness
from apolar.engine.kinds import PARTS
from apolar.engine.torch_private import tree_flatten, tree_unflatten, version
from apolar.errors import CaptureError, FunctionError, ModifiedError
from apolar.evaluation.evaluate import check_operators, evaluate
from apolar.evaluation.row_independence import every_call_tested
from apolar.kernels.settings import settings
from apolar.kernels.sources import postponable
from apolar.residuals.residual import Residual
from apolar.rules.kinks import finite, meetings


def compile(*targets: Operator | float | Residual | Callable[..., Any]) -> Compiled:
    """A differential operator or a residual whose passes are captured once for each shape, and replayed.

    What is captured are the tensor operations of the forward pass and of reverse mode, with compiled programs for the
    elementwise functions. Parameters and other tensors are read anew in every call, and random numbers are drawn anew.
    Another shape, dtype or device is captured in turn.

    Everything that the function's code and the objects it holds can read is compared before each replay; what cannot be
    followed is refused. Where something has changed (a number, an attribute, a hook, a parameter, the mode of a module), the
    function is captured anew. Python runs at captures only, and at every 256th call, which tests whether rows are mixed: so it
    prints, counts and draws numbers of its own only then. A second derivative by parameters takes the path without capture,
    and so do points where a function may have no derivative: there the pass is right or raises, as without ``ap.compile``.

    Args:
        targets: operators, as ``evaluate`` takes them behind the points; or one residual; or one function that uses apolar.

    Returns:
        A function with the arguments of ``evaluate(f, points)``, of the residual, or of the given function.

    Raises:
        CaptureError: the function looks at values, by an ``if`` or ``.item()``; or it reads what cannot be compared, what it
            changes itself, or what changes before every call.
        RowCouplingError: the function mixes rows, at a call that is tested.
        ModifiedError: what the function reads was changed between a call and a second derivative of it.
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
        self._steps: Memory[Step] = Memory()
        self._in_vain: dict[Any, int] = {}

    def __call__(self, *args: Any, **named: Any) -> Any:
        """What the function returns."""
        leaves, structure = tree_flatten((args, named))
        tensors = [x for x in leaves if isinstance(x, Tensor)]
        if capturing.get() or not all(map(postponable, tensors)):
            return self.function(*args, **named)
        read = [self.function, *(x for x in leaves if not isinstance(x, Tensor))]
        state = torch.is_grad_enabled(), torch.get_default_dtype()
        key = (structure, *state, *map(_signature, tensors), *map(likeness, read))
        step = self._steps.find(key, *read)
        if step is None:
            self._refuse_endless(key, read)
            step = Step(self.function, leaves, structure, read)
            self._steps.remember(key, step.guard, step)
            self.captures += 1
        else:
            self._in_vain.pop(key, None)
        return step(leaves)

    def _refuse_endless(self, key: Any, read: Sequence[Any]) -> None:
        """Count captures of which none was replayed."""
        earlier = [guard for guard in self._steps.guards(key) if guard.alive]
        self._in_vain[key] = self._in_vain.get(key, 0) + 1 if earlier else 0
        if self._in_vain[key] >= ENOUGH:
            changed = _listed(earlier[0].differences(*read))
            raise CaptureError(
                f"{ENOUGH} captures in a row could not be replayed, because this changes before every call: {changed}. Keep it "
                "in a tensor that is changed in place, hand it over as a tensor, or call the function without ap.compile."
            )

    def __repr__(self) -> str:
        return f"compiled {self.function!r}, with {self.captures} captures"


PARTS[Compiled] = ("function",)


class Step:
    """The passes for tensors of certain shapes."""

    def __init__(
        self, function: Callable[..., Any], leaves: Sequence[Any], structure: Any, read: Sequence[Any]
    ) -> None:
        self.function, self.structure = function, structure
        self.places = [k for k, x in enumerate(leaves) if isinstance(x, Tensor)]
        inputs = [leaves[k].detach().requires_grad_(leaves[k].requires_grad) for k in self.places]
        with meetings() as met:
            results, self.returned = tree_flatten(self.again(leaves, inputs))
        self.may_be_singular = met.possible
        if not results or not all(isinstance(y, Tensor) for y in results):
            raise FunctionError("what is compiled must return a tensor, or a tuple, list or dictionary of tensors")
        self.guard = _followed(read)
        self.sources = [x for x in _sources(results) if not any(x is y for y in inputs)]
        flags = [torch.zeros(())] if self.may_be_singular else []
        self.capture = capture(lambda *x: self._flagged(leaves, x), inputs, self.sources, [*results, *flags])
        if not self.guard.holds(*read):
            raise CaptureError(
                f"the function itself changes what it reads: {_listed(self.guard.differences(*read))}. A replay would not: "
                "change it outside of the function, or call the function without ap.compile."
            )
        self.calls = 0
        self.graphed: Callable[..., Any] | None = None
        if all(x.is_cuda for x in inputs):
            with settings(kernels="compiled"):
                self.graphed = torch.cuda.make_graphed_callables(
                    lambda *x: Replay.apply(self, leaves, *x), (*inputs, *self.sources), allow_unused_input=True
                )

    def __call__(self, leaves: Sequence[Any]) -> Any:
        """The results for other tensors of the same shapes."""
        self.calls += 1
        if self.calls % TESTED == 0:
            with every_call_tested():
                return self.again(leaves, [leaves[k] for k in self.places])
        tensors = [*(leaves[k] for k in self.places), *self.sources]
        results = list(Replay.apply(self, leaves, *tensors) if self.graphed is None else self.graphed(*tensors))
        if self.may_be_singular and (results.pop() or not all(map(finite, results))):
            return self.again(leaves, tensors)
        return tree_unflatten(results, self.returned)

    def _flagged(self, leaves: Sequence[Any], tensors: Sequence[Tensor]) -> list[Tensor]:
        """The results and, behind them, whether a point may have been met that has no derivative: 1 or 0."""
        with meetings() as met:
            results: list[Tensor] = tree_flatten(self.again(leaves, tensors))[0]
        flag = torch.stack(met.flags).any().float() if met.flags else torch.zeros(())
        return [*results, flag] if self.may_be_singular else results

    def again(self, leaves: Sequence[Any], tensors: Sequence[Tensor]) -> Any:
        """The same without capture, with the tensors in their places among the arguments."""
        given = dict(zip(self.places, tensors))
        args, named = tree_unflatten([given.get(k, x) for k, x in enumerate(leaves)], self.structure)
        return self.function(*args, **named)

    def versions(self) -> list[int]:
        """How often the tensors that the function reads were written to."""
        return [0 if x.is_inference() else version(x) for x in self.guard.tensors()]

    def refuse_changed(self, leaves: Sequence[Any], versions: list[int]) -> None:
        """Before the function is run again, as it was then."""
        read = [self.function, *(x for x in leaves if not isinstance(x, Tensor))]
        if not self.guard.holds(*read) or self.versions() != versions:
            raise ModifiedError(
                "what the function reads was changed before a second derivative was taken, for which it is run again. Change "
                "it after the backward pass."
            )


class Replay(torch.autograd.Function):
    """The passes of a step, as autograd sees them."""

    @staticmethod
    def forward(ctx: Any, step: Step, leaves: Sequence[Any], *tensors: Tensor) -> tuple[Tensor, ...]:
        found = step.capture.forward(*tensors)
        results, read = found[: step.capture.results], found[step.capture.results :]
        ctx.step, ctx.leaves, ctx.count = step, leaves, len(tensors)
        ctx.versions = step.versions()
        ctx.save_for_backward(*tensors, *read)
        return tuple(results)

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors
        tensors, read = saved[: ctx.count], saved[ctx.count :]
        if torch.is_grad_enabled():
            ctx.step.refuse_changed(ctx.leaves, ctx.versions)
            results, _ = tree_flatten(ctx.step.again(ctx.leaves, tensors))
            return None, None, *cotangents(tensors, results, given[: len(results)], create_graph=True)
        return None, None, *ctx.step.capture.backward(*read, *(w.contiguous() for w in given))


TESTED = 256
"""So many replays apart a call runs without capture, which tests whether rows are mixed at its points."""

ENOUGH = 8
"""After so many captures in a row that were in vain, the next is refused."""

FACTS = (attrgetter("shape", "dtype", "device", "requires_grad"), methodcaller("stride"))
"""What a capture takes from a tensor, besides its values."""

COMMUNICATING = {"DataParallel", "DistributedDataParallel", "FullyShardedDataParallel", "FSDPModule"}
"""Classes of torch whose call does more than compute: hooks of theirs communicate between processes."""


def _followed(read: Sequence[Any]) -> Guard:
    """A guard for what a function and its arguments read now, all of which can be followed."""
    guard = Guard(*read, facts=FACTS)
    for x in guard.modules():
        for cls in type(x).__mro__:
            if cls.__name__ in COMMUNICATING and cls.__module__.startswith("torch."):
                raise CaptureError(
                    f"a replay would not communicate as {cls.__name__} does. Compile inside of it: wrap a module whose forward "
                    "calls what ap.compile made."
                )
    if guard.opaque:
        raise CaptureError(
            f"the function can read what cannot be compared before a replay: {_listed(guard.opaque)}. Let it hold only what it "
            "needs, or call it without ap.compile."
        )
    return guard


def _listed(found: Sequence[str]) -> str:
    return ", ".join(found[:3]) + (" and more" if len(found) > 3 else "")


def _signature(x: Tensor) -> tuple[Any, ...]:
    return x.shape, x.stride(), x.dtype, x.device, x.requires_grad


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
