"""What a peer is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..problem import Step


class LeftOut(Exception):
    """Why a method has no time here."""


@dataclass(frozen=True)
class Peer:
    """A method.

    Attributes:
        name: as the table shows it.
        prepare: makes the step of a problem.
        eager: nothing is traced or compiled, so that cost and memory at fewer points tell those at more.
        counted: PyTorch allocates its memory, so that it can be counted.
    """

    name: str
    prepare: Callable[[Any], Step]
    eager: bool = True
    counted: bool = True
