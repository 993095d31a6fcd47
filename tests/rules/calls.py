"""The calls of torch functions that the cases of the tables make, with plain tensors: what a record says is judged there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map_only, tree_unflatten

from apolar.rules.decomposition import opened
from apolar.rules.record import RECORDS, Rule

from .tables import CASES

EACH = 6
"""So many calls of each function are kept."""


@dataclass(frozen=True)
class Call:
    """A call: the function and its arguments, as they were before it."""

    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def __str__(self) -> str:
        shapes = [tuple(x.shape) if isinstance(x, Tensor) else x for x in tree_leaves((self.args, self.kwargs))]
        return f"{getattr(self.function, '__qualname__', self.function)}{shapes}"

    def moving(self, arguments: tuple[int | str, ...] | None = None) -> list[int]:
        """Which leaves are floating-point tensors; only those of some arguments, where these are given."""
        named: dict[Any, Any] = {**dict(enumerate(self.args)), **self.kwargs}
        found, place = [], 0
        for name, argument in named.items():
            for leaf in tree_leaves(argument):
                if floating(leaf) and (arguments is None or name in arguments):
                    found.append(place)
                place += 1
        return found

    def leaves(self) -> list[Any]:
        """All arguments, one by one."""
        return tree_flatten((self.args, self.kwargs))[0]

    def at(self, changed: dict[int, Tensor], function: Callable[..., Any] | None = None) -> list[Tensor]:
        """The floating-point results with some leaves changed, by the same random numbers; nothing that is given is written."""
        leaves, structure = tree_flatten((self.args, self.kwargs))
        given = [changed.get(k, x) for k, x in enumerate(leaves)]
        args, kwargs = tree_unflatten([x.clone() if isinstance(x, Tensor) else x for x in given], structure)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            result = (function or self.function)(*args, **kwargs)
        return [y for y in tree_leaves(result) if floating(y)]


def floating(x: Any) -> bool:
    return isinstance(x, Tensor) and (x.is_floating_point() or x.is_complex()) and x.layout == torch.strided


class Collector(TorchFunctionMode):
    """Keeps some calls of each function that has a record, and of those that are composed of others looks inside."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: dict[Any, list[Call]] = defaultdict(list)
        self.underway: set[Any] = set()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        known = self.calls[func] if func in RECORDS else None
        if known is not None and len(known) < EACH:
            known.append(Call(func, *tree_map_only(Tensor, lambda x: x.detach().clone(), (args, kwargs))))
        if known is not None or func in self.underway or not (body := opened(func)):
            return func(*args, **kwargs)
        self.underway.add(func)
        try:
            with self:
                return body(*args, **kwargs)
        finally:
            self.underway.remove(func)


@cache
def calls() -> dict[Any, list[Call]]:
    """By function."""
    collector = Collector()
    for case in CASES:
        with collector, torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            case.function(*case.point())
    return dict(collector.calls)


def judged(wanted: Callable[[Rule], bool]) -> Iterator[tuple[Rule, Call]]:
    """The calls of functions whose record is of interest, but for those that work in place or read memory."""
    for function, found in calls().items():
        name, rule = getattr(function, "__name__", ""), RECORDS[function]
        writes = name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))
        if wanted(rule) and not writes:
            yield from ((rule, call) for call in found if call.moving() and "out" not in call.kwargs)
