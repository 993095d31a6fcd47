"""Which torch functions the cases reach, and so up to which order their rules are verified.

``python -m tests.rules.verified`` adds them to the list that ``ap.supported_operators()`` shows; ``make verify`` writes it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

import apolar
from apolar.engine.jet import Jet
from apolar.verification.supported import lifted_by, name_of
from tests.oracles.jets import jet_derivatives

LIST = Path(apolar.__file__).parent / "rules" / "verified.txt"
UNLISTED = ("metadata", "refused")

Wrong = tuple[int, int]
"""From which order PyTorch's nested forward and reverse modes are wrong; 0 where they were not found to be."""


@contextmanager
def recording() -> Iterator[dict[str, str]]:
    """The names of all torch functions that jets see meanwhile, in order, and how each is lifted."""
    seen: dict[str, str] = {}
    original = Jet.__torch_function__.__func__  # type: ignore[attr-defined]

    def recorded(cls: type, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = name_of(func)
        if name and name not in seen:
            seen[name] = lifted_by(func)
        return original(cls, func, types, args, kwargs)

    Jet.__torch_function__ = classmethod(recorded)  # type: ignore[assignment]
    try:
        yield seen
    finally:
        Jet.__torch_function__ = classmethod(original)  # type: ignore[assignment]


def reached() -> set[str]:
    """The functions that occur in a case that must be right."""
    from tests.rules.tables import CASES
    from tests.rules.tables.univariate import TABLE

    with recording() as seen, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for case in CASES:
            if not case.refused:
                v, _ = case.directions()
                jet_derivatives(case.function, case.point(), v, [None] * len(v), [(1, 0)])
        for line in TABLE:
            if not line.refused:
                x = torch.tensor(line.points, dtype=torch.float64)
                jet_derivatives(line.function, [x], [torch.ones_like(x)], [None], [(1, 0)])
    return listed(seen)


def listed(seen: Mapping[str, str]) -> set[str]:
    """The functions that users can call by name."""
    return {name for name, kind in seen.items() if kind not in UNLISTED}


def read() -> dict[str, Wrong]:
    """The list as it stands."""
    lines = map(str.split, LIST.read_text().splitlines())
    return {name: (int(forward), int(reverse)) for name, forward, reverse in lines}


def write(verified: Mapping[str, Wrong]) -> None:
    """Write the list."""
    LIST.write_text("".join(f"{name} {forward} {reverse}\n" for name, (forward, reverse) in sorted(verified.items())))


if __name__ == "__main__":
    write({**dict.fromkeys(reached(), (0, 0)), **read()})
