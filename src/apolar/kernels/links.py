"""Layers and compositions one behind the other: what a chain is."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, TypeAlias

from apolar.kernels.composition import Composition


class Affine(NamedTuple):
    """x Wᵀ + b of stacked components.

    Attributes:
        bias: whether there is one.
        value: whether the first component is the value, to which alone the bias is added.
        apart: whether the tangents are the same for every row, and come and go apart from the value.
    """

    bias: bool
    value: bool = True
    apart: bool = False


Link: TypeAlias = "Composition | Affine"


@dataclass(frozen=True, eq=False)
class Chain:
    """Links in their order. Made by :func:`chain`.

    Its tensors are the operands of the first link, ``(components, ..., k)``, and behind them the weight and the bias, if
    there is one, of every layer.
    """

    links: tuple[Link, ...]
    compiled: set[Any] = field(default_factory=set, repr=False)

    @cached_property
    def operands(self) -> int:
        """How many tensors the first link takes."""
        first = self.links[0]
        return 1 + first.apart if isinstance(first, Affine) else len(first.operands)

    @cached_property
    def parameters(self) -> tuple[tuple[int, ...], ...]:
        """For every link, which of the tensors are its weight and its bias."""
        places, following = [], self.operands
        for link in self.links:
            count = 1 + link.bias if isinstance(link, Affine) else 0
            places.append(tuple(range(following, following + count)))
            following += count
        return tuple(places)


@lru_cache(maxsize=4096)
def chain(*links: Link) -> Chain:
    """The same one for the same links."""
    return Chain(links)
