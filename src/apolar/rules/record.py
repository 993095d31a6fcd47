"""What apolar knows of a torch function, as data: the records, and the table in which they stand.

A record is read by several interpreters: jets differentiate by it, the check for singular points asks where it has kinks,
sparsity patterns ask which entries depend on which. The tables that fill it are the other files of this folder; the words in
which they are written are in ``registry.py``. Knows no jet.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from apolar.engine.series import Elementwise
from apolar.engine.torch_private import native
from apolar.errors import RuleError

NAMESPACES = (torch, Tensor, F, torch.special, native)


class Kind(str, Enum):
    """What kind of function it is; the values are the words of ``ap.supported_operators()``."""

    ELEMENTWISE = "elementwise"
    LINEAR = "linear"
    BILINEAR = "bilinear"
    COMPOSITE = "composite"
    SELECTION = "selection"
    CONSTANT = "constant"
    METADATA = "metadata"
    REFUSED = "refused"
    OWN = "own rule"
    DECOMPOSED = "decomposition"

    __str__ = str.__str__


class Entries(Enum):
    """On which entries of its arguments an entry of the result depends; the values are sentences."""

    APART = "On the entries at its own place, after broadcasting."
    MOVED = "On one entry at most, of which it is a copy: shapes and constant indices decide on which."
    ALONG = "On the entries that have the same place on all axes but those that its arguments name."
    MIXED = "On every entry."
    DEFINED = "As the functions in whose words it is said."


class Cause(Enum):
    """Why there is no derivative; the values are sentences, with the way out."""

    KINK = (
        "The derivatives on its two sides differ. Choose other points, or a smooth function: softplus for relu, "
        "torch.sqrt(x**2 + eps) for abs."
    )
    JUMP = "It jumps there. Choose other points, or give it a constant there: torch.where(x == 0, 1.0, x)."
    TIE = (
        "It chooses between entries that are equal and do not move alike. Choose other points, or a smooth function of all "
        "entries: torch.logsumexp for max."
    )
    NORM = (
        "A norm has a kink where its argument is 0. Choose other points, or add a small number inside: "
        "torch.sqrt((x**2).sum(-1) + eps)."
    )


class Points(NamedTuple):
    """Where a function has no derivatives of this order or higher ones."""

    mask: Tensor
    order: int = 1


class Singular(NamedTuple):
    """Points without derivative.

    Attributes:
        cause: why.
        points: takes the arguments of the function, jets among them.
        one_sided: whether the function goes on from there to one side as if nothing was: the derivatives of that side stand.
        hint: of the result and the arguments, all without derivatives: a condition that is cheap, without which there are no
            such points.
    """

    cause: Cause
    points: Callable[..., Iterable[Points]]
    one_sided: bool = False
    hint: Callable[..., Tensor] | None = None


@dataclass(frozen=True, eq=False)
class Rule:
    """What apolar knows of a torch function.

    Attributes:
        kind: what kind of function it is.
        definition: by its kind. Elementwise: the equation or formula of its derivatives. Linear: the function of all
            components at once, on an extra first axis, where there is one. Composite: the function in the words of others.
        linear_in: positions and names of the arguments in which it is linear: in all of them together, or, if it is bilinear,
            in each of them.
        entries: on which entries of its arguments an entry of the result depends.
        view: whether torch returns a view.
        singular: where it has no derivative.
        kinks: of an elementwise function, of its parameters: where it has no derivatives of order two and higher.
        square: its square, of the same arguments, which has derivatives where the function is 0 and has none; None for others.
        leaves: whether it takes a value out of the computation, as a number or as a tensor without derivative.
        reason: why it is refused, and what to write instead.
        on_jets: what jets do, where this does not follow from kind and definition.
    """

    kind: Kind
    definition: Elementwise | Callable[..., Any] | None = None
    linear_in: tuple[int | str, ...] = ()
    entries: Entries = Entries.MIXED
    view: bool = False
    singular: tuple[Singular, ...] = ()
    kinks: Callable[..., tuple[float, ...]] | None = None
    square: Callable[..., Any] | None = None
    leaves: bool = False
    reason: str = ""
    on_jets: Callable[..., Any] | None = None


RECORDS: dict[Any, Rule] = {}
"""By torch function."""

UNKNOWN = Rule(Kind.DECOMPOSED, entries=Entries.DEFINED)
"""The record of functions that have none: they run through the functions that they are composed of."""


def record_of(function: Any) -> Rule:
    """The record of a torch function."""
    return RECORDS.get(function, UNKNOWN)


def enter(rule: Rule, functions: Iterable[Any], replacing: bool = False) -> None:
    """Into the table. A function has one rule; another in its place says so.

    Raises:
        RuleError: there is a rule already, or nothing to be replaced.
    """
    for function in functions:
        known = record_of(function)
        if (known.kind is Kind.DECOMPOSED) is replacing:
            name = getattr(function, "__qualname__", function)
            raise RuleError(
                f"{name} has no rule that could be replaced" if replacing else
                f"{name} has a rule already, of the kind {known.kind}: pass replacing=True to put another in its place"
            )  # fmt: skip
        RECORDS[function] = replace(
            rule,
            singular=(*known.singular, *rule.singular),
            kinks=rule.kinks or known.kinks,
            square=rule.square or known.square,
        )


def amend(change: Callable[[Rule], dict[str, Any]], functions: Iterable[Any]) -> None:
    """Put what ``change`` says in place of attributes of the records of functions."""
    for function in functions:
        known = record_of(function)
        RECORDS[function] = replace(known, **change(known))


# ----------------------------------------------------------------------------------------------------------- names in torch

OPEN_CHECKS = {
    name: (lambda *_: False)
    for name in ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic")
}
"""What torch's Python functions ask before they hand themselves to a jet: with these they run their own body."""


def spellings(*names: str) -> tuple[Any, ...]:
    """The functions and methods that torch offers under these names.

    Python functions of torch.nn.functional are left out where their body calls another spelling: it knows their options.

    >>> len(spellings("tanh")) >= 2
    True
    """
    found = [(getattr(space, name), space) for name in names for space in NAMESPACES if hasattr(space, name)]
    return tuple(dict.fromkeys(f for f, space in found if callable(f) and not (space is F and asks_first(f))))


def spelled(functions: Iterable[Any]) -> tuple[Any, ...]:
    """Functions given themselves, or by a name that stands for all their spellings; each once."""
    found = (s for f in functions for s in (spellings(f) if isinstance(f, str) else (f,)))
    return tuple(dict.fromkeys(found))


def asks_first(function: Any) -> bool:
    """Whether it is a Python function of torch that looks for overrides before it runs its body."""
    return isinstance(function, types.FunctionType) and bool(OPEN_CHECKS.keys() & set(function.__code__.co_names))
