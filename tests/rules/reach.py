"""What a call of a torch function consists of: operators of ATen, nodes of autograd's graph, and the rule of apolar."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from apolar.engine.jet import Jet, plain
from apolar.rules.facts import CONDITIONS, Fact, Saved, name_of, possible
from apolar.verification.supported import lifted_by

UNLISTED = ("metadata", "refused")


@dataclass(frozen=True)
class Reached:
    """What is behind a call of a torch function.

    Attributes:
        operators: the operators of ATen.
        edges: nodes of autograd's graph, each with the output of it that is used and the conditions that its options exclude.
        constant: whether some result is a constant for PyTorch although the arguments move.
        lifted: how apolar lifts the function.
    """

    operators: frozenset[str] = frozenset()
    edges: frozenset[tuple[str, int, frozenset[str]]] = frozenset()
    constant: bool = False
    lifted: str = ""

    def __or__(self, other: Reached) -> Reached:
        return Reached(
            self.operators | other.operators,
            self.edges | other.edges,
            self.constant or other.constant,
            self.lifted or other.lifted,
        )

    def meets(self, fact: Fact) -> bool:
        """Whether the call comes upon what the fact is about."""
        return self._meets(fact, fact.where)

    def may_meet(self, fact: Fact) -> bool:
        """Whether it would with other options."""
        return self._meets(fact, "")

    def _meets(self, fact: Fact, where: str) -> bool:
        if fact.nodes:
            return any(
                node in fact.nodes and output in fact.outputs and where not in excluded
                for node, output, excluded in self.edges
            )
        return self.constant and fact.operator in self.operators


class Operators(TorchDispatchMode):
    """Notes the operators of ATen that are called."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.name().partition(".")[0].removeprefix("aten::")
        if name not in ("detach", "clone", "lift_fresh", "alias"):
            self.names.add(name)
        return func(*args, **(kwargs or {}))


def reach(function: Callable[..., Any], args: Any, kwargs: Any) -> Reached:
    """Call a function on the values of jets, or on plain tensors, all of which move."""

    def moving(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        value = plain(leaf).detach().clone()
        return value.requires_grad_().clone() if value.is_floating_point() or value.is_complex() else value

    try:
        args, kwargs = tree_map(moving, (args, kwargs))
        with torch.random.fork_rng(devices=[]), torch.enable_grad(), Operators() as operators:
            results = [y for y in tree_leaves(function(*args, **kwargs)) if isinstance(y, Tensor) and y.numel()]
    except Exception:  # it is a question of its own whether a call works without jets
        return Reached()
    constant = any((y.is_floating_point() or y.is_complex()) and not y.requires_grad for y in results)
    return Reached(frozenset(operators.names), frozenset(edges(results)), constant)


def edges(outputs: Iterable[Tensor]) -> set[tuple[str, int, frozenset[str]]]:
    """The nodes below some tensors, each with the outputs of it that are used and the conditions that it excludes."""
    waiting = [(y.grad_fn, y.output_nr) for y in outputs if y.grad_fn is not None]
    seen = set(waiting)
    while waiting:
        following = {(n, k) for n, k in waiting.pop()[0].next_functions if n is not None} - seen
        seen |= following
        waiting += following
    return {
        (node.name(), k, frozenset(name for name, c in CONDITIONS.items() if not possible(c.options, Saved(node))))
        for node, k in seen
    }


class Calls(TorchFunctionMode):
    """Notes the torch functions that are called and what is behind the first call of each."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, Reached] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = name_of(func)
        if name and name not in self.seen:
            self.seen[name] = replace(reach(func, args, kwargs or {}), lifted=lifted_by(func))
        return func(*args, **(kwargs or {}))


@contextmanager
def recording() -> Iterator[dict[str, Reached]]:
    """The names of all torch functions that jets see meanwhile, in order, and what is behind the first call of each."""
    seen: dict[str, Reached] = {}
    original = Jet.__torch_function__.__func__  # type: ignore[attr-defined]

    def recorded(cls: type, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = name_of(func)
        if name and name not in seen:
            seen[name] = Reached()  # what is behind a call is not recorded itself
            seen[name] = replace(reach(func, args, kwargs or {}), lifted=lifted_by(func))
        return original(cls, func, types, args, kwargs)

    Jet.__torch_function__ = classmethod(recorded)  # type: ignore[assignment]
    try:
        yield seen
    finally:
        Jet.__torch_function__ = classmethod(original)  # type: ignore[assignment]


def listed(seen: Mapping[str, Reached]) -> set[str]:
    """The functions that users can call by name."""
    return {name for name, reached in seen.items() if reached.lifted not in UNLISTED}


def merge(found: dict[str, Reached], seen: Mapping[str, Reached]) -> None:
    for name, behind in seen.items():
        found[name] = found.get(name, Reached()) | behind
