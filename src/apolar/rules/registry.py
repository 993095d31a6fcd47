"""How a torch function becomes a rule, and what happens where there is none.

Five kinds of rules cover nearly everything: ``elementwise`` (a recurrence for the derivatives), ``linear`` (each component
alone), ``bilinear`` (Leibniz' rule), ``composite`` (said in the words of others) and ``constant`` (no derivative). Whoever
needs the components themselves writes a ``rule``.
"""

from __future__ import annotations

import functools
import types
import weakref
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from apolar.engine import series
from apolar.engine.context import values_decide
from apolar.engine.jet import RULES, Jet, belongs, beneath, component_list, jets, missing, plain, unsupported
from apolar.engine.torch_private import (
    OpOverload,
    OpOverloadPacket,
    composite_implicit,
    decomposition_table,
    is_view,
    native,
    no_dispatch,
    tree_leaves,
    without_overrides,
)
from apolar.kernels import eager, sources
from apolar.kernels.composition import Composition
from apolar.rules.generic import by_reverse_mode

NAMESPACES = (torch, Tensor, F, torch.special, native)

KINDS: dict[Any, str] = {}
"""By torch function: the kind of its rule, for ap.supported_operators()."""

OPEN_CHECKS = {
    name: (lambda *_: False)
    for name in ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic")
}


def spellings(*names: str) -> tuple[Any, ...]:
    """The functions and methods that torch offers under these names.

    Python functions of torch.nn.functional are left out where their body calls another spelling: it knows their options.

    >>> len(spellings("tanh")) >= 2
    True
    """
    found = [(getattr(space, name), space) for name in names for space in NAMESPACES if hasattr(space, name)]
    return tuple(dict.fromkeys(f for f, space in found if callable(f) and not (space is F and opened(f))))


def _register(functions: Iterable[Any], kind: str, rule: Callable[..., Any]) -> None:
    for function in functions:
        for spelling in spellings(function) if isinstance(function, str) else (function,):
            RULES[spelling] = rule
            KINDS[spelling] = kind


def rule(*functions: Any, kind: str = "own rule") -> Callable[..., Any]:
    """Register a rule that is called as ``rule(jet, func, *args, **kwargs)`` and works on components.

    A function is given itself, or by a name that stands for all its spellings in torch.
    """

    def register(definition: Callable[..., Any]) -> Callable[..., Any]:
        _register(functions, kind, definition)
        return definition

    return register


def constant(*functions: Any) -> None:
    """Functions without derivative: evaluated on the values, the result is a plain tensor."""

    def constant_rule(jet: Jet, func: Any, *args: Any, **kwargs: Any) -> Any:
        args, kwargs = _map_tree(plain, args), _map_tree(plain, kwargs)
        with torch.no_grad():
            return func(*args, **kwargs)

    _register(functions, "constant", constant_rule)


SIMPLE = series.NUMBERS | {str, type(None)}
"""The types of parameters that are told at once to be no tensors."""


def elementwise(
    *functions: Any, derivative: Callable[..., Any] | None = None, formula: Callable[..., Any] | None = None
) -> None:
    """Functions of one tensor, entry by entry, whose derivatives go on by an equation or a formula."""
    found = [s for f in functions for s in (spellings(f) if isinstance(f, str) else (f,))]
    entry = series.Elementwise(found[0], derivative, formula)

    def elementwise_rule(jet: Jet, func: Any, x: Any, *parameters: Any, **options: Any) -> Jet:
        others = (*parameters, *options.values()) if options else parameters
        simple = all([type(p) in SIMPLE for p in others])
        if not belongs(x, jet) or not (simple or next(jets(others), None) is None):
            raise unsupported(func, jet, "Only its first argument may depend on the coordinates.")
        dtype = x.dtype
        if not (dtype.is_floating_point or dtype.is_complex):
            raise unsupported(func, jet, f"It needs a floating point tensor, got {dtype}.")
        if not simple and any(isinstance(p, Tensor) for p in others):
            return jet.like(
                Composition(jet.algebra, series.Expansion(entry, parameters, tuple(options.items())))(x.components)
            )
        return jet.like(sources.composed(x, series.expansion(entry, parameters, tuple(options.items()))))

    _register(found, "elementwise", elementwise_rule)
    series.FUNCTIONS.update(dict.fromkeys(found, entry))


def linear(*functions: Any, arguments: tuple[int | str, ...] = (0,)) -> None:
    """Functions that are linear in the arguments at these positions or of these names together: component by component."""
    _register(functions, "linear", functools.partial(apply_linear, arguments=arguments))


def apply_linear(jet: Jet, func: Any, *args: Any, arguments: tuple[int | str, ...] = (0,), **kwargs: Any) -> Any:
    """``func`` of every component; constants among the linear arguments count for the value only."""
    named: dict[Any, Any] = {**dict(enumerate(args)), **kwargs}
    if any(True for name, x in named.items() if name not in arguments for j in jets(x) if belongs(j, jet)):
        raise unsupported(func, jet, f"Only its arguments {arguments} may depend on the coordinates.")
    outputs = []
    for k in range(jet.algebra.size):
        at_k = {name: _component(x, k, jet) if name in arguments else x for name, x in named.items()}
        outputs.append(func(*(at_k[i] for i in range(len(args))), **{name: at_k[name] for name in kwargs}))
    return _stack_tree(outputs, jet)


def stacked(*functions: Any) -> Callable[..., Any]:
    """Linear functions of one tensor, written for all components at once: the components lie on an extra first axis.

    Tensors without axes or without entries, where axes are ambiguous, go component by component.
    """
    return _stacked(functions, Jet.like)


def views(*functions: Any) -> Callable[..., Any]:
    """The same for functions that return views."""
    return _stacked(functions, Jet.sharing)


def _stacked(functions: tuple[Any, ...], result: Callable[[Jet, Tensor], Jet]) -> Callable[..., Any]:
    def register(definition: Callable[..., Any]) -> Callable[..., Any]:
        def stacked_rule(jet: Jet, func: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
            if not belongs(x, jet) or not x.ndim or not x.numel():
                return frozen(jet, func, x, *args, **kwargs)
            return _map_tree(functools.partial(result, x), definition(x.components, *args, **kwargs))

        _register(functions, "linear", stacked_rule)
        return definition

    return register


def frozen(jet: Jet, func: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    """A linear function, component by component. If it is a view in torch, it is none here, and nothing may be written."""
    result = apply_linear(jet, func, x, *args, **kwargs)
    at = plain(x).clone()
    if not values_decide() or any(y is at or is_view(y) for y in tree_leaves(func(at, *args, **kwargs))):
        for shared in (*jets(x), *jets(result)):
            shared.frozen = True
    return result


def bilinear(*functions: Any) -> None:
    """Functions of two tensors that are linear in each: Leibniz' rule."""

    def bilinear_rule(jet: Jet, func: Any, x: Any, y: Any, *args: Any, **kwargs: Any) -> Jet:
        return apply_bilinear(jet, lambda a, b: func(a, b, *args, **kwargs), x, y)

    _register(functions, "bilinear", bilinear_rule)


def stack(components: list[Any], jet: Jet) -> Jet:
    """A jet of the same evaluation from its components one by one."""
    return jet.like(eager.stack(components))


def apply_bilinear(jet: Jet, function: Callable[[Any, Any], Tensor], x: Any, y: Any) -> Jet:
    """function(x, y), linear in each, where one or both are jets."""
    if not belongs(y, jet):
        return stack([function(c, y) for c in component_list(x, jet)], jet)
    if not belongs(x, jet):
        return stack([function(x, c) for c in component_list(y, jet)], jet)
    return jet.like(eager.bilinear(jet.algebra, function, x.components.unbind(0), y.components.unbind(0)))


def composite(*functions: Any) -> Callable[..., Any]:
    """A function said in the words of others, with the signature of torch's."""

    def register(definition: Callable[..., Any]) -> Callable[..., Any]:
        def composite_rule(jet: Jet, func: Any, *args: Any, **kwargs: Any) -> Any:
            return definition(*args, **kwargs)

        _register(functions, "composite", composite_rule)
        return definition

    return register


@rule(missing)
def no_rule(jet: Jet, func: Any, *args: Any, **kwargs: Any) -> Any:
    """In-place functions by their out-of-place twin, others by what they are composed of, or by PyTorch's derivatives."""
    twin = torch_function(func)
    if twin in RULES:
        return RULES[twin](jet, twin, *args, **kwargs)
    name = getattr(twin, "__name__", "")
    if name.endswith("_") and not name.endswith("__"):
        return _in_place(jet, twin, out_of_place(twin), *args, **kwargs)
    if name in IN_PLACE_OPERATORS:
        return _in_place(jet, twin, getattr(Tensor, IN_PLACE_OPERATORS[name]), *args, **kwargs)
    parts = decomposed(func)
    if parts is None or (isinstance(func, OpOverload) and func in _underway.get()):
        return by_reverse_mode(jet, func, *args, **kwargs)
    before = _underway.set(_underway.get() | {func})
    try:
        return parts(*args, **kwargs)
    finally:
        _underway.reset(before)


IN_PLACE_OPERATORS = {
    "__iadd__": "add", "__isub__": "sub", "__imul__": "mul", "__itruediv__": "div", "__idiv__": "div",
    "__ipow__": "pow", "__ifloordiv__": "floor_divide", "__imod__": "remainder",
}  # fmt: skip


RESHAPED_IN_PLACE = ("squeeze_", "unsqueeze_", "transpose_", "swapaxes_", "swapdims_", "t_")


def out_of_place(func: Any) -> Any:
    """x.add for x.add_, torch.relu for torch.relu_."""
    name = func.__name__[:-1]
    for space in (Tensor, torch, F):
        if callable(getattr(space, name, None)):
            return getattr(space, name)
    return func


def _in_place(jet: Jet, func: Any, twin: Any, x: Any = None, *args: Any, **kwargs: Any) -> Any:
    if twin is func or x is None:
        raise unsupported(func, jet, "It works in place; use a function that returns a new tensor.")
    if func.__name__ in RESHAPED_IN_PLACE:
        return _reshaped(x, twin(x, *args, **kwargs))
    before = x.like(x.components.clone()) if belongs(x, jet) else x
    args = tuple(before if a is x else a for a in args)
    result = twin(before, *args, **kwargs)
    if result.is_complex() and not x.is_complex():
        raise unsupported(func, jet, f"Its result of {result.dtype} does not fit into {x.dtype}; use it instead.")
    return overwrite(jet, func, x, result)


def _reshaped(x: Jet, view: Jet) -> Jet:
    """``x`` takes the shape of a view of itself, and keeps its memory."""
    with without_overrides(), no_dispatch():
        Tensor.as_strided_(x, view.shape, view.stride())
    x.components = view.components
    return x


def perhaps_view(x: Jet, components: Tensor) -> Jet:
    """What torch makes a view of ``x`` or a copy, by the layout of ``x`` in memory, which need not be that of the jet."""
    result = x.like(components)
    base = x if x.base is None else x.base
    alive = base.perhaps_views
    if alive is None:
        alive = base.perhaps_views = []
        alive.append(weakref.ref(base, alive.remove))
    alive.append(weakref.ref(result, alive.remove))
    result.perhaps_views = alive
    return result


def before_writing(jet: Jet, func: Any, x: Jet) -> None:
    """Nothing is written into ``x`` where it is not known what else changes, or while others wait to be made of it."""
    sources.settle()
    if x.frozen and x.numel():
        raise unsupported(func, jet, "Its tensor shares memory with another view: clone it first.")
    base = x if x.base is None else x.base
    if any(other() is not base for other in base.perhaps_views or ()):
        raise unsupported(
            func, jet, "Another tensor may share its memory: reshape, flatten, ravel and contiguous return a view or a copy, "
            "by the layout in memory, and a jet may lie in another. Take a view by .view or a copy by .clone() before, or "
            "let the argument go: h = h.flatten(1).",
        )  # fmt: skip


def overwrite(jet: Jet, func: Any, x: Any, result: Any) -> Any:
    """Write ``result`` into the memory of ``x``, so that views of it see the change, as in torch."""
    if not belongs(x, jet):
        raise unsupported(
            func, jet, "It would write derivatives into a plain tensor: use torch.stack, torch.cat or torch.where."
        )
    before_writing(jet, func, x)
    if result.shape != x.shape:
        raise unsupported(func, jet, f"It would change the shape {tuple(x.shape)} in place; use its result instead.")
    if belongs(result, jet):
        x.components.copy_(result.components)
    else:
        x.components[0].copy_(result)
        x.components[1:].zero_()
    return x


# ------------------------------------------------------------------------------------------------- what a function consists of


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


_underway: ContextVar[frozenset[Any]] = ContextVar("underway", default=frozenset())
"""The functions that are being decomposed: one that comes back to itself has no parts."""


@functools.cache
def opened(func: Any) -> Callable[..., Any] | None:
    """A Python function of torch, with its own check for overrides switched off: its body says what it computes."""
    if not isinstance(func, types.FunctionType) or not OPEN_CHECKS.keys() & set(func.__code__.co_names):
        return None
    body = types.FunctionType(
        func.__code__, {**func.__globals__, **OPEN_CHECKS}, func.__name__, func.__defaults__, func.__closure__
    )
    body.__kwdefaults__ = func.__kwdefaults__
    return body


def _component(x: Any, k: int, jet: Jet) -> Any:
    """Component k of every tensor in a nest; constants vanish for k > 0."""

    def component(leaf: Any) -> Any:
        if belongs(leaf, jet):
            return leaf.components[k]
        if k == 0 or not isinstance(leaf, (Tensor, int, float, complex)):
            return leaf
        return torch.zeros_like(leaf) if isinstance(leaf, Tensor) else type(leaf)(0)

    return _map_tree(component, x)


def _map_tree(function: Callable[[Any], Any], tree: Any) -> Any:
    """``function`` of the leaves of a nest of tuples, lists and dictionaries."""
    if isinstance(tree, dict):
        return {name: _map_tree(function, item) for name, item in tree.items()}
    if isinstance(tree, (tuple, list)) and not isinstance(tree, torch.Size):
        return type(tree)(_map_tree(function, item) for item in tree)
    return function(tree)


def _stack_tree(outputs: list[Any], jet: Jet) -> Any:
    """A list of equal nests, one for each component, as one nest of jets."""
    if isinstance(outputs[0], (tuple, list)):
        return tuple(_stack_tree(list(items), jet) for items in zip(*outputs, strict=True))
    return stack(outputs, jet)
