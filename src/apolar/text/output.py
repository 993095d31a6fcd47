"""Results as plain text and as JSON: what everything that speaks to people or programs shares."""

from __future__ import annotations

import json
import math
from io import StringIO
from typing import Any

from rich.console import Console, RenderableType

WIDTH = 10_000
"""Plain text is not broken into lines."""


def plain(*renderables: RenderableType) -> str:
    """What rich would print, without colours, in lines of any length."""
    console = Console(highlight=False, markup=False, no_color=True, width=WIDTH, file=StringIO())
    console.print(*renderables, sep="\n")
    assert isinstance(console.file, StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


def to_json(data: Any) -> str:
    """Data as JSON; what is not finite becomes a string, because JSON has no word for it.

    >>> print(to_json([1.5, float("nan")]))
    [
      1.5,
      "nan"
    ]
    """
    return json.dumps(_finite(data), ensure_ascii=False, indent=2)


def _finite(data: Any) -> Any:
    """The same data with strings for numbers that are not finite."""
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_finite(value) for value in data]
    return str(data) if isinstance(data, float) and not math.isfinite(data) else data
