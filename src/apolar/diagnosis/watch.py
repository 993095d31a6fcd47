"""Watch code as it runs: a function mode that remembers where tensors come from, and looks at every gradient.

Each call of a torch function leaves a trace on its results; :mod:`~apolar.diagnosis.missing`, ``orders``, ``nonfinite`` and
``accumulation`` read them when a gradient is asked for.
"""

from __future__ import annotations

import inspect
import re
import sys
import warnings
import weakref
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType, SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from apolar.diagnosis import accumulation, graph, messages, missing, nonfinite, orders
from apolar.diagnosis.finding import Diagnosis
from apolar.diagnosis.hooks import hooked
from apolar.diagnosis.lifted import Passes, any_jet
from apolar.diagnosis.marking import trace_of
from apolar.diagnosis.numberflow import anchor_is_constructor, anchor_is_implicit, flowing
from apolar.diagnosis.operations import (
    COPYING,
    IN_PLACE,
    MEMORY,
    NUMBERS,
)
from apolar.diagnosis.places import (
    Place,
    here,
    is_of_apolar,
    is_of_equation,
    place_of,
    place_of_error,
    user_frame,
)
from apolar.diagnosis.request import SIGNATURES, Request, is_direct, request
from apolar.diagnosis.traces import NONE, Call, Derivative, LeafState, Memory, Trace, Writing, identity
from apolar.engine.context import recording
from apolar.engine.jet import Jet
from apolar.engine.torch_private import (
    Transform,
    argument_names,
    base,
    in_transform,
    is_view,
    transforms,
    tree_leaves,
    version,
)
from apolar.rules.facts import by_function
from apolar.text.languages import Language

Look = Generator[None, Any, None]
"""What is done before and after a call: it is resumed with the result, or with the error."""

PLAIN = {Tensor, nn.Parameter, nn.Buffer}
"""Other classes of tensors answer for themselves and are not looked at."""

LIFTED = PLAIN | {Jet}

VIEWS = {"T", "mT", "H", "mH", "real", "imag", "data"}
"""Attributes that are tensors."""


@contextmanager
def watch(lang: Language = "en") -> Iterator[Diagnosis]:
    """Look at everything that PyTorch does inside, and find out why gradients are missing, zero, NaN or wrong.

    Args:
        lang: the language of the findings.

    Returns:
        A context manager that gives a :class:`Diagnosis`; it is complete when the block is left. An error inside is
        explained, and goes on.

    >>> x = torch.tensor(1.0, requires_grad=True)
    >>> with ap.watch() as d:
    ...     y = x.detach() ** 2
    ...     try:
    ...         y.backward()
    ...     except RuntimeError:
    ...         pass
    >>> d.codes
    ('detach',)
    """
    memory = Memory(Diagnosis(lang=lang))
    with watching(memory):
        yield memory.diagnosis


@contextmanager
def watching(memory: Memory) -> Iterator[None]:
    """Remember what PyTorch does inside, and report to the diagnosis of the memory."""
    with warnings.catch_warnings(), hooked(memory):
        warnings.filterwarnings("ignore", module=re.escape(__name__))  # of PyTorch, which takes us for the user's code
        try:
            with Watch(memory) as looking, looking.passes.observing():
                yield
        except Exception as error:
            with memory.guard:
                if not memory.diagnosis.findings:
                    messages.report(memory, error, place_of_error(error.__traceback__))
            raise
        finally:
            with memory.guard:
                missing.never_filled(memory)


class Watch(TorchFunctionMode):
    """Sees every call of a torch function by the user's code."""

    def __init__(self, memory: Memory) -> None:
        super().__init__()
        self.memory = memory
        self.passes = Passes(memory)
        self.walks = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the function, with a look before and a look after it, neither of which can disturb the call."""
        kwargs = kwargs or {}
        look = _blind()
        with self.memory.guard:
            look = self._look(func, types, args, kwargs, sys._getframe(1))
        self._advance(look.__next__)
        try:
            result = func(*args, **kwargs)
        except BaseException as error:
            self._advance(look.throw, error)
            raise
        self._advance(look.send, result)
        return result

    def _advance(self, step: Any, *given: Any) -> None:
        try:
            step(*given)
        except StopIteration:
            pass
        except Exception as error:
            if not any(error is known for known in given):
                self.memory.guard.note(error)

    def _look(self, func: Any, types: Any, args: Any, kwargs: Any, caller: FrameType) -> Look:
        """The look that a call deserves."""
        name = getattr(func, "__name__", "")
        if set(types) <= LIFTED and any_jet((args, kwargs)):
            if name != "__get__":
                return self.passes.look(func, name, args, kwargs)
            attribute = func.__self__.__name__
            return self.passes.look(func, attribute, args, kwargs) if attribute in VIEWS else _blind()
        if name in {"__get__", "__set__"}:
            return self._attribute(func.__self__.__name__, name, args, caller)
        if not set(types) <= PLAIN:
            return _blind()
        if in_transform():
            return self._forward_mode(func, args, kwargs)
        if self.memory.stepping and not torch.is_grad_enabled():
            return self._update(name, args)
        if func in SIGNATURES and not recording():
            return self._walk(func, args, kwargs, caller)
        if is_of_apolar(caller):
            return _blind()
        if name in {"add", "add_"} and is_of_equation(caller):
            name = "sub"  # the two sides of an equation
        if name in NUMBERS:
            return self._number(name, args)
        if name == "requires_grad_":
            return self._patched(name, args)
        return self._operation(name, args, kwargs)

    # ------------------------------------------------------------------------------------------------------- attributes

    def _attribute(self, attribute: str, access: str, args: Any, caller: FrameType) -> Look:
        if access == "__get__":
            if attribute == "grad":
                return self._read(args[0], caller)
            if attribute in VIEWS:
                return self._operation(attribute, args, {})
        elif attribute == "requires_grad":
            return self._patched(attribute, args)
        elif attribute == "data":
            accumulation.stepped(self.memory, [args[0]])
        return _blind()

    def _read(self, tensor: Tensor, caller: FrameType) -> Look:
        """``.grad`` as the user asks for it; PyTorch's own questions do not count."""
        found = yield
        memory = self.memory
        if user_frame(caller) is not caller or not self.walks:
            return
        if found is None:
            if tensor.grad_fn is not None and not tensor.retains_grad:
                missing.not_a_leaf(memory, tensor, place_of(caller))
            elif tensor.requires_grad:
                memory.unfilled[id(tensor)] = tensor
            elif not isinstance(tensor, nn.Parameter):
                memory.report("nothing-requires-grad", place_of(caller), what="x")
            return
        accumulation.read(memory, tensor)
        state: LeafState | None = memory.leaves.get(tensor)
        if state is not None and not state.create_graph and not isinstance(tensor, nn.Parameter):
            made = memory.marked("create-graph-missing", state.place, "backward", [tensor])
            derivative = Derivative(1, frozenset({identity(tensor)}), {}, (), True)
            memory.traces[found] = Trace("grad", state.place, marks=frozenset({made}), derivative=derivative)

    def _patched(self, name: str, args: Any) -> Look:
        """requires_grad is switched on for a tensor that may have a history."""
        tensor = args[0]
        before = self.memory.traces.get(tensor)
        fresh = not tensor.requires_grad
        try:
            yield
        except RuntimeError as error:
            messages.report(self.memory, error, here(), str(tensor.dtype))
            raise
        if fresh and tensor.requires_grad and before is not None:
            self.memory.patched[tensor] = replace(before, name=name, place=here(), recorded=True)

    # ---------------------------------------------------------------------------------------------------------- numbers

    def _number(self, name: str, args: Any) -> Look:
        """A tensor becomes a number, a list or an array, and what flowed into it goes on unseen."""
        memory = self.memory
        source = args[0]
        try:
            value = yield
        except RuntimeError as error:
            messages.report(memory, error, here(), name)
            raise
        marks = memory.trace(source).marks
        code = NUMBERS[name]
        if source.requires_grad or (marks and code == "numpy"):
            place = here()
            if anchor_is_constructor(place):
                memory.copied.append(memory.marked("tensor-copy", place, "Tensor", memory.sources([source])))
                return
            implicit = name == "__float__" and anchor_is_implicit(place)
            made = memory.marked(code, place, name, memory.sources([source]), implicit=implicit)
            marks = frozenset({made})
        if marks:
            place = here()
            memory.files.add(place.file or "")
            memory.numbers[place] = memory.numbers.get(place, NONE) | marks
            for number in tree_leaves(value) if code == "item" else ():
                if isinstance(number, float) and round(number, 3) != number:
                    memory.values[number] = marks

    # ------------------------------------------------------------------------------------------------------- operations

    def _operation(self, name: str, args: Any, kwargs: Any) -> Look:
        memory = self.memory
        inputs = _answering((args, kwargs))
        known = {t.grad_fn for t in inputs if t.grad_fn is not None}
        traces = [memory.trace(t) for t in inputs]
        try:
            result = yield
        except RuntimeError as error:
            messages.report(memory, error, here(), name, tuple(inputs[0].shape) if inputs else "?")
            raise
        writes = bool(inputs) and _writes(name)
        outputs = _answering(args[:1] if writes else result)
        frame = user_frame()
        if frame is None:
            return
        place = place_of(frame)
        memory.files.add(frame.f_code.co_filename)
        if writes:
            self._wrote(_tensors(args[:1]), name, place)
        if not outputs:
            return
        call = Call(name, args, inputs, traces, outputs, place)
        trace = trace_of(memory, call, flowing(memory, (args, kwargs), place, frame))
        made = graph.Origin(place, name, 0, trace.nonfinite)
        for output in outputs:
            if output.grad_fn is not None:
                graph.tag(output, made, known)
            if output.is_leaf and output.requires_grad:
                if name in COPYING:
                    memory.patched[output] = trace
            else:
                memory.traces[output] = trace
                if writes and base(output) is not None:
                    memory.traces[base(output)] = trace

    def _update(self, name: str, args: Any) -> Look:
        """A call inside of an optimiser's step: only what it writes counts."""
        yield
        if _writes(name):
            self._wrote(_tensors(args[:1]), name, here())

    def _wrote(self, written: list[Tensor], name: str, place: Place) -> None:
        memory = self.memory
        for tensor in written:
            shape = tuple(tensor.shape)
            memory.writings.append(Writing(weakref.ref(tensor), shape, version(tensor), name, place))
            alias = memory.traces[tensor].alias if tensor in memory.traces else None
            leaf = alias() if alias is not None else origin if (origin := base(tensor)) is not None else tensor
            if leaf is not None and leaf.is_leaf and leaf.requires_grad and not memory.stepping:
                accumulation.stepped(memory, [leaf])

    def _forward_mode(self, func: Any, args: Any, kwargs: Any) -> Look:
        """Nested forward mode through a function that PyTorch differentiates wrongly there."""
        yield
        facts = [fact for fact in by_function(func) if fact.forward and not fact.convention]
        if not facts:
            return
        order = transforms().count(Transform.Jvp)
        for fact in facts:
            if fact.forward <= order and fact.holds(_named(func, args, kwargs, fact.operator), unreadable=False):
                self.memory.report("wrong-derivative", here(), name=func.__name__, order=fact.forward)

    # ------------------------------------------------------------------------------------------------------------ walks

    def _walk(self, func: Any, args: Any, kwargs: Any, caller: FrameType) -> Look:
        """A gradient is asked for."""
        asked = request(self.memory, here(), func, args, kwargs, is_direct(caller))
        if asked is None:
            return
        if asked.accumulates:
            accumulation.before_backward(asked)
        missing.only_patched(asked)
        if all(y.requires_grad for y in asked.outputs):
            orders.look_before(asked)
        try:
            with nonfinite.watched(asked) as births:
                result = yield
        except (RuntimeError, NotImplementedError) as error:
            self._failed(asked, error)
            raise
        self.walks += 1
        gradients = [x.grad for x in asked.asked] if asked.accumulates else list(result)
        self._finished(asked, gradients, births)

    def _failed(self, asked: Request, error: BaseException) -> None:
        code = messages.code_of(error)
        uncreated = [mark for mark in asked.marks if mark.code == "create-graph-missing"]
        if code == "graph-freed" and uncreated:  # it was the walk that should have created a graph
            missing.report(self.memory, uncreated)
        elif code == "nothing-requires-grad":
            missing.without_graph(asked)
            if all(y.requires_grad for y in asked.outputs):
                missing.failed(asked)
        elif code == "input-unused":
            missing.failed(asked)
        elif code == "checkpoint-reentrant" and self.memory.checkpoints:
            self.memory.report(code, self.memory.checkpoints[-1])
        else:
            messages.report(self.memory, error, asked.place, shape=tuple(asked.outputs[0].shape))

    def _finished(self, asked: Request, gradients: list[Tensor | None], births: nonfinite.Births) -> None:
        memory = self.memory
        if not asked.accumulates:
            missing.unused(asked, gradients)
        missing.incomplete(asked)
        missing.zero(asked, gradients)
        missing.all_zero(asked, gradients, births.stops)
        orders.look(asked, gradients)
        lost = None
        if not all(nonfinite.finite(g) for g in gradients if g is not None):
            lost = nonfinite.explain(asked, births)
        if asked.accumulates:
            accumulation.after_backward(asked)
            memory.walked = not asked.create_graph
            for leaf, gradient in zip(asked.asked, gradients):
                if lost is not None and gradient is not None:
                    memory.spoiled[leaf] = lost
                    memory.traces[gradient] = Trace("grad", asked.place, gradient.requires_grad, nonfinite=lost)
            return
        derivative = orders.derivative_of(asked, births.opaque)
        for x, gradient in zip(asked.asked, gradients):
            if gradient is not None:
                marks = NONE
                if not (asked.create_graph or isinstance(x, nn.Parameter) or orders.is_zero(gradient)):
                    marks = frozenset({memory.marked("create-graph-missing", asked.place, "grad", [x])})
                about = replace(derivative, gradient=weakref.ref(gradient))
                memory.traces[gradient] = Trace(
                    "grad", asked.place, gradient.requires_grad, marks, NONE, about, memory.era, nonfinite=lost
                )


def _blind() -> Look:
    """No look at all."""
    yield


def _named(func: Any, args: Any, kwargs: Any, operator: str) -> SimpleNamespace:
    """The values of a call's arguments by their names; a function of C++ has those of the operator of ATen behind it."""
    try:
        names = list(inspect.signature(func).parameters)
    except ValueError:
        names = argument_names(getattr(torch.ops.aten, operator))
    given = {**dict(zip(names, args)), **kwargs}
    values = {k: torch.func.debug_unwrap(v, recurse=True) if isinstance(v, Tensor) else v for k, v in given.items()}
    return SimpleNamespace(**{"self": values.get("input"), "moving": (True, True), **values})


def _tensors(tree: Any) -> list[Tensor]:
    """All tensors in a nest of tuples, lists and dictionaries."""
    if isinstance(tree, Tensor):
        return [tree]
    if isinstance(tree, dict):
        tree = tree.values()
    elif not isinstance(tree, (tuple, list)):
        return []
    return [tensor for branch in tree for tensor in _tensors(branch)]


def _answering(tree: Any) -> list[Tensor]:
    """The tensors of a nest that tell their history; a view made under no_grad does not once its memory was written."""
    return [tensor for tensor in _tensors(tree) if not is_view(tensor) or _answers(tensor)]


def _answers(view: Tensor) -> bool:
    try:
        return bool(view.grad_fn) or True
    except RuntimeError:
        return False


def _writes(name: str) -> bool:
    """Whether a function writes into its first argument."""
    return name in IN_PLACE or (name.endswith("_") and not name.endswith("__") and name not in MEMORY)
