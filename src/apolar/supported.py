"""Which torch functions apolar can differentiate, and how."""

from __future__ import annotations

from dataclasses import dataclass

from torch.overrides import resolve_name

from apolar.rules.registry import KINDS


@dataclass(frozen=True, order=True)
class SupportedOperator:
    """A torch function with a rule.

    Attributes:
        name: where it is found, such as ``torch.tanh``.
        rule: the kind of its rule: elementwise, linear, bilinear, composite, selection, constant (its derivative is 0), or a
            rule of its own.
    """

    name: str
    rule: str


def supported_operators() -> list[SupportedOperator]:
    """Every torch function that has a rule, by name.

    Python functions of torch without a rule of their own run through their own body, so the list is not the limit.

    >>> next(o for o in ap.supported_operators() if o.name == "torch.tanh")
    SupportedOperator(name='torch.tanh', rule='elementwise')
    """
    named = {name: kind for function, kind in KINDS.items() if (name := _name(function))}
    return sorted(SupportedOperator(name, kind) for name, kind in named.items() if kind not in ("metadata", "refused"))


def _name(function: object) -> str | None:
    return resolve_name(function)
