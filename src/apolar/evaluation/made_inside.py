"""Tensors that a lifted function makes and then writes into: ``out = torch.zeros(3); out[0] = x[0]``.

A plain tensor cannot take derivatives. Where a jet is written into one, the function runs once more, and all floating-point
tensors that it makes are constant jets from the start; so it does from then on. Functions that do not write this way pay
nothing. What was made outside of the function stays a plain tensor, and writing into it is refused.
Above the rules, below ``evaluate``.
"""

from __future__ import annotations

import functools
import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from inspect import unwrap
from operator import is_
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from apolar.engine.guard import Guard
from apolar.engine.jet import Jet, belongs, jets, moves
from apolar.engine.torch_private import (
    has_storage,
    transform_level,
    tree_flatten,
    tree_leaves,
    tree_map,
    tree_unflatten,
)
from apolar.errors import UnsupportedOperator
from apolar.evaluation.state import State
from apolar.rules.inplace import writes
from apolar.rules.record import Kind, record_of

_writing: weakref.WeakSet[Any] = weakref.WeakSet()
"""The code of functions that write jets into tensors which they make."""

_stateless: weakref.WeakSet[Any] = weakref.WeakSet()
"""The code of functions that were seen to hold no module with buffers, in training."""


def with_writes(
    f: Callable[..., Any], lifted: Callable[[AbstractContextManager[Any]], Any], inputs: Sequence[Jet]
) -> Any:
    """``lifted``, which calls ``f`` with these jets inside of a context; again, where ``f`` writes a jet into a plain tensor.

    The context is for the call of ``f`` alone: results are plain tensors.
    """
    code = _code(f)
    if code in _writing:
        return lifted(Making(inputs))
    before = State(() if code in _stateless else _training(f), inputs)
    if not before.buffers:
        _stateless.add(code)
    try:
        return lifted(nullcontext())
    except UnsupportedOperator as error:
        if not error.into_plain:
            raise
    _writing.add(code)
    before.restore()
    return lifted(Making(inputs))


def _code(f: Callable[..., Any]) -> Any:
    """What functions have in common that were made anew of the same code; wrappers count as what they wrap."""
    f = unwrap(f)
    while isinstance(f, functools.partial):
        f = unwrap(f.func)
    return f if isinstance(f, nn.Module) else getattr(f, "__code__", type(f))


def _training(f: Callable[..., Any]) -> Iterator[nn.Module]:
    """The modules of a function that are in training, and those below them: their buffers may be written to."""
    for module in (f,) if isinstance(f, nn.Module) else Guard(f).modules():
        if getattr(module, "training", False):
            yield from module.modules()


class Making(TorchFunctionMode):
    """Floating-point tensors that a function makes of plain ones are constant jets of its pass."""

    def __init__(self, inputs: Sequence[Jet]) -> None:
        super().__init__()
        self._like = max(inputs, key=lambda x: transform_level(x.components))

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        number = self._like.context.number
        of_this_pass = any(x.context.number >= number for x in jets((args, kwargs)))  # or of one inside of it
        try:
            result = func(*args, **kwargs)
        except UnsupportedOperator as error:
            if not of_this_pass or writes(func):
                raise
            return self._of_values(func, args, kwargs, error)
        return result if of_this_pass or _existing(func) or _by_a_module() else self._lifted(result, (args, kwargs))

    def _of_values(self, func: Any, args: Any, kwargs: Any, error: UnsupportedOperator) -> Any:
        """``func`` where constants have to be plain tensors; not if the result would share memory with them."""
        leaves, structure = tree_flatten((args, kwargs))
        values = list(map(_settled, leaves))
        if all(map(is_, values, leaves)):
            raise error
        args, kwargs = tree_unflatten(values, structure)
        result = func(*args, **kwargs)
        if any(isinstance(y, Tensor) and not _fresh(y, values) for y in tree_leaves(result)):
            raise error
        return result if any(belongs(x, self._like) for x in values) else self._lifted(result, values)

    def _lifted(self, result: Any, made_of: Any) -> Any:
        """The result of plain tensors, with constant jets in the place of tensors that are new."""
        context, others = self._like.context, tree_leaves(made_of)
        if context.recorded and not torch.is_grad_enabled():
            return result
        if any(isinstance(x, np.ndarray) for x in others):  # with which a tensor may share memory
            return result
        return tree_map(lambda y: self._constant(y) if _liftable(y) and _fresh(y, others) else y, result)

    def _constant(self, value: Tensor) -> Jet:
        """In memory that can hold what the jets of the pass consist of: batches of ``vmap``, and jets of passes around it."""
        zeros = self._like.components.new_zeros(
            (self._like.algebra.size, *value.shape), dtype=value.dtype, device=value.device
        )
        zeros[0] += value
        return self._like.like(zeros)


def _settled(x: Any) -> Any:
    """The value of a jet that is a constant."""
    while isinstance(x, Jet) and not moves(x):
        x = x.value
    return x


def _by_a_module() -> bool:
    """Whether one of torch's modules makes the tensor: its parameters stay what they are, also of one made inside."""
    frame: Any = sys._getframe(1)
    while frame.f_globals.get("__name__") in AROUND:
        frame = frame.f_back
    return str(frame.f_globals.get("__name__")).startswith("torch.nn.")


AROUND = (__name__, "torch.overrides", "torch._tensor")
"""Between a call and the mode that sees it."""


def _existing(func: Any) -> bool:
    """Whether a function returns something that was there before."""
    return record_of(func).kind is Kind.METADATA or func in SHARING


SHARING = (torch.from_numpy, torch.frombuffer, torch.from_file, torch.utils.dlpack.from_dlpack)
"""Functions whose results share memory with something else than a tensor."""


def _liftable(y: Any) -> bool:
    ordinary = type(y) in (Tensor, Jet) and y.layout is torch.strided and not (y.is_leaf and y.requires_grad)
    return ordinary and (y.is_floating_point() or y.is_complex())


def _fresh(y: Tensor, others: Sequence[Any]) -> bool:
    """Whether a tensor has memory of its own."""
    if isinstance(y, Jet):
        return y.base is None and y.perhaps_views is None and not any(y is x for x in others)
    if y.layout is not torch.strided:
        return True
    memory = _memory(y)
    return memory is not None and not any(isinstance(x, Tensor) and _memory(x) == memory for x in others)


def _memory(x: Tensor) -> int | None:
    """Where the entries of a tensor lie; None for jets, and other tensors without memory."""
    inside = torch.func.debug_unwrap(x, recurse=True)
    return inside.untyped_storage().data_ptr() if not isinstance(inside, Jet) and has_storage(inside) else None
