"""The words in which the tables of rules are written; each enters a record.

Prefer the first that fits: ``linear`` (each component alone), ``bilinear`` (Leibniz' rule), ``elementwise`` (how the
derivatives go on), ``composite`` (in the words of others), ``constant`` (no derivative), ``refused`` and ``leaving``. Whoever
needs the components themselves writes a ``rule``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from apolar.engine import series
from apolar.engine.jet import RULES, JetRule
from apolar.rules.decomposition import torch_function
from apolar.rules.kinks import watched
from apolar.rules.lifting import marked, on_jets
from apolar.rules.record import RECORDS, Entries, Kind, Rule, Singular, amend, enter, spelled


def register(rule: Rule, *functions: Any, replacing: bool = False) -> None:
    """A record for functions, given themselves or by a name for all their spellings in torch, which jets follow from now on.

    Raises:
        RuleError: a function has a rule already, and nothing is said of replacing it.
    """
    found = spelled(functions)
    enter(rule, found, replacing)
    _follow(found)
    torch_function.cache_clear()


def singular(line: Singular, *functions: Any) -> None:
    """Points without derivative, for functions given themselves or by a name for all their spellings in torch."""
    found = spelled(functions)
    amend(lambda known: {"singular": (*known.singular, line)}, found)
    _follow(found)


def kinked(kinks: Callable[..., tuple[float, ...]], *functions: Any) -> None:
    """Where elementwise functions have no derivatives of order two and higher, by their parameters, which are numbers."""
    found = spelled(functions)
    amend(lambda known: {"kinks": kinks}, found)
    _follow(found)


def square(definition: Callable[..., Any], *functions: Any) -> None:
    """The square of functions, in functions that have derivatives where those are 0; None for arguments without such one."""
    found = spelled(functions)
    amend(lambda known: {"square": definition}, found)
    _follow(found)


def _follow(functions: Iterable[Any]) -> None:
    """Let jets do what the records say; what has no rule of its own runs through its parts."""
    for function in functions:
        record = RECORDS[function]
        if record.kind is not Kind.DECOMPOSED:
            RULES[function] = watched(on_jets(record), marked(record, function), record)


def elementwise(
    *functions: Any, derivative: Callable[..., Any] | None = None, formula: Callable[..., Any] | None = None
) -> None:
    """Functions of one tensor, entry by entry, whose derivatives go on by an equation or a formula."""
    found = spelled(functions)
    entry = series.Elementwise(found[0], derivative, formula)
    register(Rule(Kind.ELEMENTWISE, entry, entries=Entries.APART), *found)
    series.FUNCTIONS.update(dict.fromkeys(found, entry))


def linear(
    *functions: Any, arguments: tuple[int | str, ...] = (0,), entries: Entries = Entries.MIXED, replacing: bool = False
) -> None:
    """Functions that are linear in the arguments at these positions or of these names together: component by component."""
    register(Rule(Kind.LINEAR, linear_in=arguments, entries=entries), *functions, replacing=replacing)


def stacked(*functions: Any, entries: Entries = Entries.MIXED) -> Callable[..., Any]:
    """Linear functions of one tensor, written for all components at once: the components lie on an extra first axis.

    Tensors without axes or without entries, where axes are ambiguous, go component by component.
    """

    def definition(function: Callable[..., Any]) -> Callable[..., Any]:
        register(Rule(Kind.LINEAR, function, (0,), entries), *functions)
        return function

    return definition


def views(*functions: Any, entries: Entries = Entries.MOVED) -> Callable[..., Any]:
    """The same for functions that return views."""

    def definition(function: Callable[..., Any]) -> Callable[..., Any]:
        register(Rule(Kind.LINEAR, function, (0,), entries, view=True), *functions)
        return function

    return definition


def bilinear(*functions: Any) -> None:
    """Functions of two tensors that are linear in each: Leibniz' rule."""
    register(Rule(Kind.BILINEAR, linear_in=LINEAR_IN[Kind.BILINEAR]), *functions)


def composite(*functions: Any) -> Callable[..., Any]:
    """A function said in the words of others, with the signature of torch's."""

    def definition(function: Callable[..., Any]) -> Callable[..., Any]:
        register(Rule(Kind.COMPOSITE, function, entries=Entries.DEFINED), *functions)
        return function

    return definition


def constant(*functions: Any, entries: Entries = Entries.MIXED) -> None:
    """Functions without derivative: evaluated on the values, the result is a plain tensor."""
    register(Rule(Kind.CONSTANT, entries=entries), *functions)


def refused(*functions: Any, reason: str) -> None:
    """Functions that jets do not go through; the reason says what to write instead."""
    register(Rule(Kind.REFUSED, reason=reason), *functions)


def leaving(*functions: Any, on_jets: JetRule | None = None) -> None:
    """Functions that take a value out of the computation, whose derivative would be lost."""
    register(Rule(Kind.REFUSED, leaves=True, on_jets=on_jets), *functions)


def rule(
    *functions: Any,
    kind: Kind = Kind.OWN,
    linear_in: tuple[int | str, ...] | None = None,
    entries: Entries = Entries.MIXED,
    replacing: bool = False,
) -> Callable[..., Any]:
    """A rule that is called as ``rule(jet, func, *args, **kwargs)`` and works on components."""
    arguments = LINEAR_IN.get(kind, ()) if linear_in is None else linear_in

    def definition(function: Callable[..., Any]) -> Callable[..., Any]:
        register(Rule(kind, linear_in=arguments, entries=entries, on_jets=function), *functions, replacing=replacing)
        return function

    return definition


LINEAR_IN: dict[Kind, tuple[int | str, ...]] = {Kind.LINEAR: (0,), Kind.BILINEAR: (0, 1)}
"""The arguments in which functions of these kinds are linear, where nothing else is said."""
