"""Which torch functions the cases reach, and so up to which order their rules are verified.

``python -m tests.rules.verified`` writes the list that ``ap.supported_operators()`` shows.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

import apolar
from apolar.jet import Jet
from apolar.supported import name_of
from tests.oracles.jets import jet_derivatives
from tests.rules.tables import CASES
from tests.rules.tables.univariate import TABLE

LIST = Path(apolar.__file__).parent / "rules" / "verified.txt"
ORDER = 4


@contextmanager
def recording() -> Iterator[set[str]]:
    """The names of all torch functions that jets see meanwhile."""
    names: set[str] = set()
    original = Jet.__torch_function__.__func__  # type: ignore[attr-defined]

    def recorded(cls: type, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = name_of(func)
        names.update([name] if name else [])
        return original(cls, func, types, args, kwargs)

    Jet.__torch_function__ = classmethod(recorded)  # type: ignore[assignment]
    try:
        yield names
    finally:
        Jet.__torch_function__ = classmethod(original)  # type: ignore[assignment]


def reached() -> list[str]:
    """The functions that occur in a case that must be right."""
    with recording() as names, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for case in CASES:
            if not case.refused:
                v, _ = case.directions()
                jet_derivatives(case.function, case.point(), v, [None] * len(v), [(1, 0)])
        for line in TABLE:
            if not line.refused:
                x = torch.tensor(line.points, dtype=torch.float64)
                jet_derivatives(line.function, [x], [torch.ones_like(x)], [None], [(1, 0)])
    supported = {operator.name for operator in apolar.supported_operators()}
    return sorted(names & supported)


if __name__ == "__main__":
    LIST.write_text("\n".join(reached()) + "\n")
