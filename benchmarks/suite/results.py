"""What was measured: rows, as the JSON files hold them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

OURS = "apolar"
NESTED = "nested"
CAPTURED = "captured"


@dataclass(frozen=True)
class Method:
    """A method in a row: its time, or the reason why it has none.

    Attributes:
        ms: the median of the time of one step; ``low`` and ``high`` are the quartiles.
        bytes: the peak of memory during a step; None where it was not counted.
        difference: of its loss and gradients from ours, relative to the largest of each.
        wrong: whether that is more than rounding.
        reason: why it has no time.
    """

    ms: float | None = None
    low: float | None = None
    high: float | None = None
    repeats: int = 0
    bytes: int | None = None
    difference: float | None = None
    wrong: bool = False
    reason: str | None = None


@dataclass(frozen=True)
class Row:
    """A problem, and the methods by name.

    Attributes:
        components: m; ``order``: the highest order of a derivative.
        floor: milliseconds of what cannot be avoided; None where that is not known.
        bar: what is to be reached, by name: nested, best, memory (at least), floor (at most).
    """

    label: str
    components: int
    order: int
    methods: dict[str, Method]
    floor: float | None = None
    bar: dict[str, float | None] = field(default_factory=dict)

    @property
    def ours(self) -> Method:
        return self.methods[OURS]

    @property
    def wrong(self) -> list[str]:
        return [name for name, method in self.methods.items() if method.wrong]

    def ratio(self, name: str) -> float | None:
        """How many times as long a method takes as ours."""
        ms = self.methods[name].ms if name in self.methods else None
        return ms / self.ours.ms if ms and self.ours.ms else None

    def over_floor(self, name: str = OURS) -> float | None:
        """How many times as long as the floor a method takes."""
        ms = self.methods[name].ms if name in self.methods else None
        return ms / self.floor if self.floor and ms else None

    @property
    def memory(self) -> float | None:
        """How many times as much memory nested reverse mode takes as ours."""
        theirs = self.methods[NESTED].bytes if NESTED in self.methods else None
        return theirs / self.ours.bytes if theirs and self.ours.bytes else None

    @property
    def best(self) -> tuple[str, float] | None:
        """The fastest of the others, nested reverse mode aside, and how many times as long as ours it takes."""
        found = [(r, name) for name in self.methods if name not in (OURS, NESTED, CAPTURED) and (r := self.ratio(name))]
        return min(found)[::-1] if found else None


@dataclass(frozen=True)
class Results:
    """A table with where, when and how it was measured."""

    question: str
    machine: dict[str, Any]
    options: dict[str, Any]
    rows: list[Row]

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Results:
        read = json.loads(path.read_text(encoding="utf-8"))
        rows = [
            Row(**{**row, "methods": {name: Method(**method) for name, method in row["methods"].items()}})
            for row in read.pop("rows")
        ]
        return cls(rows=rows, **read)
