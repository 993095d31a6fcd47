"""What was found of PyTorch's own derivatives, and which functions are verified: one generated table, read by all.

``facts.json`` is written by ``python -m tests.rules.facts`` and says in which version of torch it was found. This module knows
torch, and nothing of the tables of rules.
"""

from __future__ import annotations

import functools
import json
import types
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, NamedTuple

import torch
from torch.overrides import resolve_name

from apolar.engine.torch_private import OpOverload, OpOverloadPacket, saved

NEAR = 0.05
"""So near to a removable singularity, quotients lose digits at the orders that are verified."""


def _overflows(x: Any) -> Any:
    return (x > 0) & x.exp().isinf()


def _matrix(a: Any) -> Any:
    """The triangular argument of a solver."""
    return next(getattr(a, name) for name in ("A", "input2", "self") if hasattr(a, name))


def _unread(matrix: Any, upper: bool) -> Any:
    """A triangle that holds zeros is taken for one that does not move."""
    return matrix.tril(-1) if upper else matrix.triu(1)


class Condition(NamedTuple):
    """Where a derivative is wrong that is right elsewhere, as a test of the operator's arguments.

    Attributes:
        points: of their values, entry by entry.
        options: of what is no tensor; a function that never calls the operator so has nothing to do with the condition.
    """

    points: Callable[[Any], Any] | None = None
    options: Callable[[Any], bool] | None = None


CONDITIONS: dict[str, Condition] = {
    "in training": Condition(options=lambda a: a.training),
    "for a product": Condition(options=lambda a: a.reduce == "prod"),
    "at 0": Condition(lambda a: a.self == 0),
    "near 0": Condition(lambda a: (a.self != 0) & (a.self.abs() < NEAR)),
    "where a factor is 0": Condition(lambda a: a.self == 0),
    "where an entry is 0, for p = 4, 6, …": Condition(lambda a: a.self == 0, lambda a: a.ord >= 4 and a.ord % 2 == 0),
    "where two entries agree, for p = 4, 6, …": Condition(
        lambda a: a.self == a.other, lambda a: a.p >= 4 and a.p % 2 == 0
    ),
    "of no entries, for p < 2": Condition(lambda a: a.self.numel() == 0, lambda a: a.ord < 2),
    "where the matrix is singular": Condition(lambda a: a.result == 0),
    "where the exponent is 0 and both arguments move": Condition(lambda a: (a.exponent == 0) & all(a.moving)),
    "where the base is 0 and the exponent moves": Condition(lambda a: (a.self == 0) & a.moving[-1]),
    "where base and exponent are 0": Condition(lambda a: (a.self == 0) & (a.exponent == 0)),
    "where entries are more than 20 apart": Condition(lambda a: a.self.max() - a.self.min() > 20),
    "where the arguments are so far apart that exp overflows": Condition(
        lambda a: _overflows((a.self - a.other).abs())
    ),
    "where an index is repeated": Condition(lambda a: a.indices.unique().numel() < a.indices.numel()),
    "where the triangle that is not read moves": Condition(lambda a: _unread(_matrix(a), a.upper) != 0),
    "where one triangle moves without the other": Condition(),
    "for hermitian=True, where one triangle moves without the other": Condition(),
}
"""By the words in which the table and messages name them."""


@dataclass(frozen=True)
class Fact:
    """Outputs of an operator of ATen that PyTorch differentiates wrongly, without an error.

    Attributes:
        operator: its name, such as ``native_layer_norm``.
        outputs: which of its outputs, counted from 0.
        forward: the order from which nested forward mode is wrong; 0 where it was not found to be.
        reverse: the same for nested reverse mode.
        where: the only points where it is, a key of CONDITIONS; empty for all.
        convention: whether it is no mistake but another reading of the function, which surprises.
        nodes: its names in autograd's graph; none where PyTorch takes these outputs for constants.
        names: the torch functions that reach these outputs.
    """

    operator: str
    outputs: tuple[int, ...]
    forward: int = 0
    reverse: int = 0
    where: str = ""
    convention: bool = False
    nodes: tuple[str, ...] = field(default=(), repr=False)
    names: tuple[str, ...] = field(default=(), repr=False)

    def holds_at(self, node: Any) -> bool:
        """Whether the condition holds at a node of autograd's graph, by what it saved; also where that cannot be read."""
        return self.holds(Saved(node))

    def holds(self, arguments: Any, unreadable: bool = True) -> bool:
        """The same of the operator's arguments, given as attributes; ``unreadable`` where these do not tell."""
        condition = CONDITIONS.get(self.where, Condition())
        tests = (condition.options, condition.points)
        return all(possible(test, arguments, unreadable) for test in tests)

    def __str__(self) -> str:
        """
        >>> print(by_node("NativeLayerNormBackward0", 0)[0])
        forward wrong from order 2, reverse wrong from order 3
        """
        modes: dict[int, list[str]] = defaultdict(list)
        for mode, order in {"forward": self.forward, "reverse": self.reverse}.items():
            modes[order].append(mode)
        word = "different" if self.convention else "wrong"
        text = ", ".join(f"{' and '.join(names)} {word} from order {order}" for order, names in modes.items() if order)
        text += f" {self.where}" * bool(self.where)
        return text if 0 in self.outputs else f"{text} (outputs {', '.join(map(str, self.outputs))})"


def possible(test: Callable[[Any], Any] | None, arguments: Any, unreadable: bool = True) -> bool:
    """Whether a test of arguments passes at some entry; ``unreadable`` where it cannot be made."""
    try:
        return test is None or bool(torch.as_tensor(test(arguments)).any())
    except (AttributeError, RuntimeError, TypeError):
        return unreadable


class Saved:
    """What a node of autograd's graph saved of its operator's arguments, and which of them move."""

    def __init__(self, node: Any) -> None:
        self._node = node

    def __getattr__(self, name: str) -> Any:
        if name == "moving":
            return [n is not None for n, _ in self._node.next_functions]
        return saved(self._node, name)


@functools.cache
def _table() -> Mapping[str, Any]:
    table: Mapping[str, Any] = json.loads(files("apolar.rules").joinpath("facts.json").read_text(encoding="utf-8"))
    return table


def found_in() -> str:
    """The version of torch in which the facts were found."""
    return str(_table()["torch"])


@functools.cache
def verified() -> Mapping[str, int]:
    """The order up to which a function is compared with an independent reference, by name."""
    return types.MappingProxyType(_table()["verified"])


@functools.cache
def all_facts() -> tuple[Fact, ...]:
    """The whole table."""
    return tuple(map(_fact, _table()["facts"]))


def _fact(line: Mapping[str, Any]) -> Fact:
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in line.items()}
    return Fact(**values)


@functools.cache
def _by_name() -> Mapping[str, tuple[Fact, ...]]:
    found: dict[str, list[Fact]] = defaultdict(list)
    for fact in all_facts():
        for name in fact.names:
            found[name].append(fact)
    return {name: tuple(facts) for name, facts in found.items()}


@functools.cache
def _by_node() -> Mapping[tuple[str, int], tuple[Fact, ...]]:
    found: dict[tuple[str, int], list[Fact]] = defaultdict(list)
    for fact in all_facts():
        for node in fact.nodes:
            for output in fact.outputs:
                found[node, output].append(fact)
    return {key: tuple(facts) for key, facts in found.items()}


def by_name(name: str | None) -> tuple[Fact, ...]:
    """The facts about a torch function, by where users find it, such as ``torch.linalg.det``."""
    return _by_name().get(name or "", ())


def by_function(function: object) -> tuple[Fact, ...]:
    """The facts about a torch function."""
    return by_name(name_of(function))


def by_node(node: str, output: int) -> tuple[Fact, ...]:
    """The facts about an output of a node of autograd's graph, by its name, such as ``NativeLayerNormBackward0``."""
    return _by_node().get((node, output), ())


@functools.cache
def wrong_in_reverse(order: int) -> frozenset[Any]:
    """The torch functions whose first output PyTorch's reverse mode differentiates wrongly at this order, if only somewhere."""
    wrong = (f for f in all_facts() if 0 < f.reverse <= order and 0 in f.outputs and not f.convention)
    return frozenset(found for fact in wrong for name in fact.names if (found := named(name)) is not None)


def named(name: str) -> Any:
    """The torch function of a name; None where the installed PyTorch, older or newer than the table, has none."""
    place: Any = torch
    for part in name.split(".")[1:]:
        place = getattr(place, part, None)
    return place


def name_of(function: object) -> str | None:
    """Where users find a torch function, such as ``torch.einsum``; None for private ones."""
    if isinstance(function, OpOverload):
        function = function.overloadpacket
    name = f"torch.ops.{function}" if isinstance(function, OpOverloadPacket) else resolve_name(function)
    if name is None or any(part.startswith("_") and not part.endswith("__") for part in name.split(".")):
        return None
    return name.replace("torch.functional.", "torch.")
