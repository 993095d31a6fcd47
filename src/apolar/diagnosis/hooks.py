"""What a function mode does not see: where recording is switched off, and what optimisers do."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
import torch.utils.checkpoint
from torch import Tensor
from torch.optim import optimizer

from apolar.diagnosis import accumulation, missing
from apolar.diagnosis.numberflow import flowing
from apolar.diagnosis.places import Place, here, is_of_apolar, place_of, user_frame
from apolar.diagnosis.traces import Memory, Trace


@contextmanager
def hooked(memory: Memory) -> Iterator[None]:
    """Functions that tell the memory what they do, in the place of PyTorch's own."""
    with ExitStack() as stack:
        for owner, name, make in (
            (torch.set_grad_enabled, "__init__", _switching),
            (torch.inference_mode, "__enter__", _entering),
            (torch.inference_mode, "__exit__", _leaving),
            (optimizer.Optimizer, "add_param_group", _adding),
            (torch, "from_numpy", _from_numpy),
            (torch.autograd.graph.saved_tensors_hooks, "__enter__", _saving),
            (torch.autograd.graph.saved_tensors_hooks, "__exit__", _saved),
            (torch.utils.checkpoint.CheckpointFunction, "forward", _checkpointing),
        ):
            stack.callback(setattr, owner, name, original := getattr(owner, name))
            setattr(owner, name, make(memory, original))
        before = optimizer.register_optimizer_step_pre_hook(lambda *_: _step_begins(memory))
        after = optimizer.register_optimizer_step_post_hook(lambda opt, *_: _step_ends(memory, opt))
        stack.callback(before.remove)
        stack.callback(after.remove)
        yield


def _switching(memory: Memory, switch: Callable[..., None]) -> Callable[..., None]:
    """set_grad_enabled, through which no_grad and enable_grad go as well."""

    def __init__(self: Any, mode: bool) -> None:
        with memory.guard:
            leaving = sys._getframe(1).f_code.co_name == "__exit__"
            if mode:
                memory.switched_off, memory.before = None, memory.switched_off
            elif leaving:
                memory.switched_off = memory.switched_off or memory.before
            elif torch.is_grad_enabled() and not is_of_apolar(sys._getframe(1)):
                memory.switched_off = _switch_place()
        switch(self, mode)

    return __init__


def _entering(memory: Memory, enter: Callable[..., Any]) -> Callable[..., Any]:
    def __enter__(self: Any) -> Any:
        with memory.guard:
            memory.switched_off = memory.inference = _switch_place()
        return enter(self)

    return __enter__


def _leaving(memory: Memory, leave: Callable[..., Any]) -> Callable[..., Any]:
    def __exit__(self: Any, *error: Any) -> Any:
        memory.switched_off = None
        return leave(self, *error)

    return __exit__


def _switch_place() -> Place:
    """The line of the with statement or of the call; that of the decorator, where a function is decorated."""
    frame = sys._getframe(2)
    for _ in range(2):
        if frame.f_code.co_name == "decorate_context":
            code = getattr(frame.f_locals.get("func"), "__code__", None)
            return Place(code.co_filename, code.co_firstlineno) if code is not None else here()
        frame = frame.f_back or frame
    return here()


def _adding(memory: Memory, add: Callable[..., None]) -> Callable[..., None]:
    """The parameters of optimisers, which are meant to get gradients."""

    def add_param_group(self: Any, group: dict[str, Any]) -> None:
        with memory.guard:
            for p in group["params"] if isinstance(group["params"], (list, tuple)) else [group["params"]]:
                if isinstance(p, Tensor) and p.grad_fn is not None:
                    missing.not_a_leaf(memory, p, here())
        add(self, group)
        with memory.guard:
            for p in accumulation.parameters([group]):
                memory.optimised[p] = True
                memory.unfilled[id(p)] = p

    return add_param_group


def _from_numpy(memory: Memory, from_numpy: Callable[[Any], Tensor]) -> Callable[[Any], Tensor]:
    def from_array(array: Any) -> Tensor:
        result = from_numpy(array)
        with memory.guard:
            frame = user_frame()
            place = place_of(frame)
            marks = flowing(memory, (array,), place, frame)
            if marks:
                memory.traces[result] = Trace("from_numpy", place, marks=marks, added=marks)
        return result

    return from_array


def _saving(memory: Memory, enter: Callable[..., Any]) -> Callable[..., Any]:
    def __enter__(self: Any) -> Any:
        memory.saving += 1
        return enter(self)

    return __enter__


def _saved(memory: Memory, leave: Callable[..., Any]) -> Callable[..., Any]:
    def __exit__(self: Any, *error: Any) -> Any:
        memory.saving -= 1
        return leave(self, *error)

    return __exit__


def _checkpointing(memory: Memory, forward: Callable[..., Any]) -> Callable[..., Any]:
    """Reentrant checkpoints, which run a function without recording."""

    def checkpointed(*args: Any) -> Any:
        memory.checkpoints.append(here())
        return forward(*args)

    return checkpointed


def _step_begins(memory: Memory) -> None:
    memory.stepping += 1


def _step_ends(memory: Memory, opt: Any) -> None:
    memory.stepping -= 1
    with memory.guard:
        accumulation.stepped(memory, accumulation.parameters(opt.param_groups))
