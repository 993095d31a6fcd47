"""Which torch functions apolar can differentiate, how, how far that is verified, and where PyTorch itself is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field

from apolar.rules.decomposition import decomposed, torch_function
from apolar.rules.facts import Fact, by_name, name_of, named, verified
from apolar.rules.record import RECORDS, Kind, record_of

NOT_LISTED = (Kind.METADATA, Kind.REFUSED, Kind.DECOMPOSED)
"""Kinds of functions that have no derivative to speak of, or no rule of their own."""

VERIFIED_ORDER = 4
"""The order up to which rules are compared with independent references."""


@dataclass(frozen=True, order=True)
class SupportedOperator:
    """A torch function that can be differentiated.

    Attributes:
        name: where it is found, such as ``torch.tanh``.
        rule: how it is lifted: elementwise, linear, bilinear, composite, selection, constant (its derivative is 0), by a rule
            of its own, by decomposition into functions that have a rule, or generic (PyTorch's derivatives of it).
        verified_order: the order up to which it is compared with an independent reference; 0 where it is not.
        forward_wrong_from: the lowest order at which PyTorch's own nested forward mode was found wrong; 0 where it was not.
        reverse_wrong_from: the same for its nested reverse mode.
        facts: for which of its outputs, and at which points, that holds; and where PyTorch reads the function differently.
    """

    name: str
    rule: str
    verified_order: int
    forward_wrong_from: int = 0
    reverse_wrong_from: int = 0
    facts: tuple[Fact, ...] = field(default=(), repr=False, compare=False)


def lifted_by(function: object) -> str:
    """How a torch function is lifted, in the words of ``SupportedOperator.rule``."""
    kind = record_of(torch_function(function)).kind
    return "generic" if kind is Kind.DECOMPOSED and decomposed(function) is None else str(kind)


def supported_operators() -> list[SupportedOperator]:
    """The torch functions that have a rule and those that were verified without one, by name.

    Composite functions run through their parts, so the list is not the limit.

    >>> solve = next(o for o in ap.supported_operators() if o.name == "torch.linalg.solve")
    >>> solve
    SupportedOperator(name='torch.linalg.solve', rule='own rule', verified_order=4, forward_wrong_from=2, reverse_wrong_from=0)
    >>> print(*solve.facts)
    forward wrong from order 2
    """
    kinds = {name: str(r.kind) for f, r in RECORDS.items() if r.kind not in NOT_LISTED and (name := name_of(f))}
    for name in verified().keys() - kinds.keys():
        if function := named(name):
            kinds[name] = lifted_by(function)
    return sorted(_operator(name, kind) for name, kind in kinds.items())


def _operator(name: str, kind: str) -> SupportedOperator:
    facts = by_name(name)
    wrong = [fact for fact in facts if not fact.convention]
    return SupportedOperator(
        name,
        kind,
        verified().get(name, 0),
        min((fact.forward for fact in wrong if fact.forward), default=0),
        min((fact.reverse for fact in wrong if fact.reverse), default=0),
        facts,
    )
