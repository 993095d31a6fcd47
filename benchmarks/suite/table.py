"""Results as a table: ratios to apolar, so that 3.0 means that the other takes three times as long or as much."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .results import CAPTURED, NESTED, OURS, Method, Row

Cell = Callable[[Row], str]


class Notes:
    """Reasons and their numbers, each once."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def number(self, reason: str) -> int:
        if reason not in self.reasons:
            self.reasons.append(reason)
        return self.reasons.index(reason) + 1

    def cell(self, method: Method | None, ratio: float | None) -> str:
        if method is None:
            return "–"
        if method.wrong:
            return f"wrong by {method.difference:.0e}"
        return short(ratio) if ratio else f"– [{self.number(method.reason or '')}]"

    def lines(self) -> list[str]:
        return [f"[{i}] {reason}" for i, reason in enumerate(self.reasons, 1)]


def short(x: float | None) -> str:
    """Three digits at most."""
    if x is None:
        return "–"
    return f"{x:.0f}" if x >= 99.5 else f"{x:.1f}" if x >= 9.95 else f"{x:.2f}"


def judged(x: float | None, bar: float | None, at_most: bool = False) -> str:
    """A ratio, and beside it what was to be reached."""
    if x is None or bar is None:
        return short(x)
    met = x <= bar if at_most else x >= bar
    return f"{short(x)} {'≤' if at_most else '≥'} {bar:g} {'✓' if met else '✗'}"


def best(row: Row) -> str:
    return f"{row.best[0]} {judged(row.best[1], row.bar.get('best'))}" if row.best else "–"


def largest_difference(row: Row) -> str:
    found = [method.difference for method in row.methods.values() if method.difference is not None]
    return f"{max(found):.0e}" if found else "–"


def columns(rows: Sequence[Row], notes: Notes) -> dict[str, Cell]:
    """By title; a column for every method that some row has."""
    others = dict.fromkeys(name for row in rows for name in row.methods if name not in (OURS, NESTED))

    def of(name: str) -> Cell:
        return lambda row: notes.cell(row.methods.get(name), row.ratio(name))

    def nested(row: Row) -> str:
        ratio = row.ratio(NESTED)
        return judged(ratio, row.bar.get("nested")) if ratio else notes.cell(row.methods.get(NESTED), None)

    def ours(row: Row) -> str:
        return notes.cell(row.ours, row.ours.ms)

    found: dict[str, Cell] = {
        "case": lambda row: row.label,
        "m": lambda row: str(row.components),
        "apolar ms": ours,
        "floor ms": lambda row: short(row.floor),
        "× floor": lambda row: judged(row.over_floor(), row.bar.get("floor"), at_most=True),
        "apolar MB": lambda row: short(row.ours.bytes / 1e6) if row.ours.bytes else "–",
        "nested": nested,
        "nested memory": lambda row: judged(row.memory, row.bar.get("memory")),
    }
    if CAPTURED in others:
        found["captured × floor"] = lambda row: judged(row.over_floor(CAPTURED), row.bar.get("floor"), at_most=True)
    found |= {name: of(name) for name in others}
    if len(others) > 1:
        found["best of these"] = best
    return found | {"difference": largest_difference}


def plain(rows: Sequence[Row]) -> str:
    """For a terminal."""
    notes = Notes()
    shown = columns(rows, notes)
    cells = [list(shown), *([cell(row) for cell in shown.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines = [
        "  ".join(text.rjust(w) if i else text.ljust(w) for i, (text, w) in enumerate(zip(line, widths))).rstrip()
        for line in cells
    ]
    return "\n".join(lines + notes.lines())


def markdown(rows: Sequence[Row]) -> str:
    """For the documentation."""
    notes = Notes()
    shown = columns(rows, notes)
    cells = [list(shown), ["---", *["---:"] * (len(shown) - 1)], *([c(row) for c in shown.values()] for row in rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in cells)
    return "\n".join([table, *(f"\n\\{line}" for line in notes.lines())])
