"""Functions without a rule: what they are composed of, in-place functions by their out-of-place twin, others refused."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from apolar.engine.jet import RULES, Jet, beneath, missing
from apolar.engine.torch_private import OpOverload, OpOverloadPacket, composite_implicit, decomposition_table
from apolar.rules.generic import by_reverse_mode
from apolar.rules.inplace import in_place, out_of_place
from apolar.rules.record import OPEN_CHECKS, asks_first, spellings

_underway: ContextVar[frozenset[Any]] = ContextVar("underway", default=frozenset())
"""The functions that are being decomposed: one that comes back to itself has no parts."""


def without_rule(jet: Jet, func: Any, *args: Any, **kwargs: Any) -> Any:
    """In-place functions by their out-of-place twin, others by what they are composed of, or by PyTorch's derivatives."""
    known = torch_function(func)
    if known in RULES:
        return RULES[known](jet, known, *args, **kwargs)
    twin = out_of_place(known)
    if twin is not None:
        return in_place(jet, known, twin, *args, **kwargs)
    parts = decomposed(func)
    if parts is None or (isinstance(func, OpOverload) and func in _underway.get()):
        return by_reverse_mode(jet, func, *args, **kwargs)
    before = _underway.set(_underway.get() | {func})
    try:
        return parts(*args, **kwargs)
    finally:
        _underway.reset(before)


RULES[missing] = without_rule


@functools.cache
def torch_function(func: Any) -> Any:
    """torch.add for the ATen operator aten::add.Tensor; any other function itself.

    It has the arguments of what C++ offers: functions that are written in Python come last.
    """
    if not isinstance(func, (OpOverload, OpOverloadPacket)):
        return func
    packet = func.overloadpacket if isinstance(func, OpOverload) else func
    name = packet.__name__
    alike = [func, packet, *spellings(name), *(f for f in RULES if getattr(f, "__name__", "") == name)]
    alike.sort(key=lambda f: isinstance(f, types.FunctionType))
    return next((f for f in alike if f in RULES), alike[-1] if len(alike) > 2 else func)


@functools.cache
def decomposed(func: Any) -> Callable[..., Any] | None:
    """The same function in terms of others, that have rules; None for what torch does not decompose.

    A Python function of torch runs through its own body, a composite one of C++ reaches its ATen operators, and for other
    ATen operators torch has a table of decompositions.
    """
    if isinstance(func, types.FunctionType):
        return opened(func) or functools.partial(beneath, func)
    if isinstance(func, OpOverload):
        if func.has_kernel_for_dispatch_key(composite_implicit):
            return functools.partial(beneath, func.decompose)
        return decomposition_table.get(func) or getattr(func, "impl_aten", None)
    if isinstance(func, OpOverloadPacket) or (callable(func) and not isinstance(func, types.MethodWrapperType)):
        return functools.partial(beneath, func)
    return None


@functools.cache
def opened(func: Any) -> Callable[..., Any] | None:
    """A Python function of torch, with its own check for overrides switched off: its body says what it computes."""
    if not asks_first(func) or not OPEN_CHECKS.keys() & func.__globals__.keys():
        return None
    body = types.FunctionType(
        func.__code__, {**func.__globals__, **OPEN_CHECKS}, func.__name__, func.__defaults__, func.__closure__
    )
    body.__kwdefaults__ = func.__kwdefaults__
    return body
