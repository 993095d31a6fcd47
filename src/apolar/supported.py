"""Which torch functions apolar can differentiate, how, and how far that is verified."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from torch.overrides import resolve_name

from apolar.rules.registry import KINDS

VERIFIED_ORDER = 4
"""The order up to which the test suite compares rules with independent references."""


@dataclass(frozen=True, order=True)
class SupportedOperator:
    """A torch function with a rule.

    Attributes:
        name: where it is found, such as ``torch.tanh``.
        rule: the kind of its rule: elementwise, linear, bilinear, composite, selection, constant (its derivative is 0), or a
            rule of its own.
        verified_order: the order up to which the test suite compares it with an independent reference; 0 where it does not.
    """

    name: str
    rule: str
    verified_order: int


def name_of(function: object) -> str | None:
    """Where users find a torch function, such as ``torch.einsum``."""
    name = resolve_name(function)
    return name and name.replace("torch.functional.", "torch.")


def supported_operators() -> list[SupportedOperator]:
    """Every torch function that has a rule, by name.

    Python functions of torch without a rule of their own run through their own body, so the list is not the limit.

    >>> next(o for o in ap.supported_operators() if o.name == "torch.tanh")
    SupportedOperator(name='torch.tanh', rule='elementwise', verified_order=4)
    """
    verified = set(files("apolar.rules").joinpath("verified.txt").read_text().split())
    named = {name: kind for function, kind in KINDS.items() if (name := name_of(function))}
    return sorted(
        SupportedOperator(name, kind, VERIFIED_ORDER if name in verified else 0)
        for name, kind in named.items()
        if kind not in ("metadata", "refused")
    )
