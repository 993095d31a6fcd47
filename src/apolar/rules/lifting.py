"""How jets read the records: what a function of each kind does to the components of its arguments."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from apolar.engine import series
from apolar.engine.context import recording, stopped
from apolar.engine.jet import Jet, JetRule, belongs, jets, moves, plain, refuse, unsupported, user_line, value
from apolar.kernels import sources
from apolar.kernels.composition import Composition
from apolar.rules.components import apply_bilinear, apply_linear, map_tree
from apolar.rules.inplace import frozen, share
from apolar.rules.record import Kind, Rule


def on_jets(rule: Rule) -> JetRule:
    """What jets do by a record."""
    return rule.on_jets or BY_KIND[rule.kind](rule)


SIMPLE = series.NUMBERS | {str, type(None)}
"""The types of parameters that are told at once to be no tensors."""


def _number(x: Any) -> Any:
    """A number of NumPy as one of Python."""
    return x.item() if isinstance(x, (np.generic, np.ndarray)) and x.ndim == 0 else x


def elementwise(rule: Rule) -> JetRule:
    """φ(g) = Σₖ φ⁽ᵏ⁾(g₀)/k! · nᵏ."""
    entry = rule.definition
    assert isinstance(entry, series.Elementwise)

    def elementwise_rule(jet: Jet, func: Any, x: Any, *parameters: Any, **options: Any) -> Jet:
        others = (*parameters, *options.values()) if options else parameters
        simple = all([type(p) in SIMPLE for p in others])
        if not simple:
            parameters, options = map_tree(_number, parameters), map_tree(_number, options)
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

    return elementwise_rule


def marked(rule: Rule, function: Any) -> JetRule | None:
    """What jets do by an elementwise function with kinks, with infinity for derivatives that do not exist there.

    Nothing is looked at, so that chains of layers and activations may wait; derivatives of order two and higher only.
    """
    entry, kinks = series.FUNCTIONS.get(function), rule.kinks
    if not isinstance(entry, series.Elementwise) or kinks is None:
        return None

    def marked_rule(jet: Jet, func: Any, x: Any, *parameters: Any, **options: Any) -> Jet:
        at = kinks(*parameters, **options)
        return jet.like(sources.composed(x, series.expansion(entry, parameters, tuple(options.items()), at)))

    return marked_rule


def linear(rule: Rule) -> JetRule:
    """Each component alone, or all at once where the record says how."""
    if rule.definition is None:
        return functools.partial(apply_linear, arguments=rule.linear_in)
    definition: Any = rule.definition
    result = Jet.sharing if rule.view else Jet.like

    def stacked_rule(jet: Jet, func: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        if not belongs(x, jet) or not x.ndim or not x.numel():
            return frozen(jet, func, x, *args, **kwargs)
        components = definition(x.components, *args, **kwargs)
        if components is x.components:  # torch returns its argument, as x.real where nothing is complex
            return x
        return map_tree(functools.partial(result, x), components)

    return stacked_rule


def bilinear(rule: Rule) -> JetRule:
    """Leibniz' rule."""

    def bilinear_rule(jet: Jet, func: Any, x: Any, y: Any, *args: Any, **kwargs: Any) -> Jet:
        return apply_bilinear(jet, lambda a, b: func(a, b, *args, **kwargs), x, y)

    return bilinear_rule


def composite(rule: Rule) -> JetRule:
    """The definition, whose functions meet their own rules."""
    definition: Any = rule.definition
    return lambda jet, func, *args, **kwargs: definition(*args, **kwargs)


def constant(rule: Rule) -> JetRule:
    """Of the values; the result is a plain tensor."""

    def constant_rule(jet: Jet, func: Any, *args: Any, **kwargs: Any) -> Any:
        args, kwargs = map_tree(plain, args), map_tree(plain, kwargs)
        with torch.no_grad():
            return func(*args, **kwargs)

    return constant_rule


def refused(rule: Rule) -> JetRule:
    """An error that says why; or what leaves the computation, where nothing is lost by it."""

    def refused_rule(jet: Jet, func: Any, *args: Any, **kwargs: Any) -> Any:
        if rule.leaves:
            return leave(jet, func, *args, **kwargs)
        raise unsupported(func, jet, rule.reason)

    return refused_rule


def leave(jet: Jet, func: Any, *args: Any, **kwargs: Any) -> Any:
    """``func`` of values that do not move; those that do would make the result silently wrong."""
    leaving = [x for x in jets((args, kwargs)) if belongs(x, jet)]
    meant = stopped.get() or jet.context.detached == "constant"
    if not meant and (recording() or any(map(moves, leaving))):
        name = getattr(func, "__name__", str(func)).replace("__get__", ".data")
        raise refuse(
            f"{name} takes a value that depends on the coordinates out of the computation, and its derivative would be lost"
            f"{user_line()}. Use torch functions on the tensor itself (torch.sin instead of math.sin); if a constant is "
            'meant, write ap.constant(x), or pass detached="constant" to apolar where the code cannot be changed.'
        )
    args, kwargs = map_tree(lambda x: value(x, jet), (args, kwargs))
    result = func(*args, **kwargs)
    if isinstance(result, (Tensor, np.ndarray)):
        for x in leaving:
            share(x, result)
    return result


BY_KIND: dict[Kind, Callable[[Rule], JetRule]] = {
    Kind.ELEMENTWISE: elementwise,
    Kind.LINEAR: linear,
    Kind.BILINEAR: bilinear,
    Kind.COMPOSITE: composite,
    Kind.CONSTANT: constant,
    Kind.REFUSED: refused,
}
