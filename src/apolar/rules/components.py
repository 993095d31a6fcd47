"""Functions of components: of each alone, by Leibniz' rule, and jets made of the results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from apolar.engine.jet import Jet, belongs, component_list, jets, unsupported
from apolar.kernels import eager


def stack(components: list[Any], jet: Jet) -> Jet:
    """A jet of the same evaluation from its components one by one."""
    return jet.like(eager.stack(components))


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


def apply_bilinear(jet: Jet, function: Callable[[Any, Any], Tensor], x: Any, y: Any) -> Jet:
    """function(x, y), linear in each, where one or both are jets."""
    if not belongs(y, jet):
        return stack([function(c, y) for c in component_list(x, jet)], jet)
    if not belongs(x, jet):
        return stack([function(x, c) for c in component_list(y, jet)], jet)
    return jet.like(eager.bilinear(jet.algebra, function, x.components.unbind(0), y.components.unbind(0)))


def map_tree(function: Callable[[Any], Any], tree: Any) -> Any:
    """``function`` of the leaves of a nest of tuples, lists and dictionaries."""
    if isinstance(tree, dict):
        return {name: map_tree(function, item) for name, item in tree.items()}
    if isinstance(tree, (tuple, list)) and not isinstance(tree, torch.Size):
        return type(tree)(map_tree(function, item) for item in tree)
    return function(tree)


def _component(x: Any, k: int, jet: Jet) -> Any:
    """Component k of every tensor in a nest; constants vanish for k > 0."""

    def component(leaf: Any) -> Any:
        if belongs(leaf, jet):
            return leaf.components[k]
        if k == 0 or not isinstance(leaf, (Tensor, int, float, complex)):
            return leaf
        return torch.zeros_like(leaf) if isinstance(leaf, Tensor) else type(leaf)(0)

    return map_tree(component, x)


def _stack_tree(outputs: list[Any], jet: Jet) -> Any:
    """A list of equal nests, one for each component, as one nest of jets."""
    if isinstance(outputs[0], (tuple, list)):
        return tuple(_stack_tree(list(items), jet) for items in zip(*outputs, strict=True))
    return stack(outputs, jet)
