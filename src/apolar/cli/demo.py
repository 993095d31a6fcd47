"""``apolar demo``: questions that people ask about derivatives, each answered beside the exact value."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from apolar.cli.output import json_option, number, print_json, show

if TYPE_CHECKING:
    from torch import Tensor

    from apolar.cli.questions import Answer, Question

DIGITS = 6
PER_LINE = 5


@click.command(short_help="Answer nine questions, with the exact values beside.")
@json_option
@click.pass_context
def demo(context: click.Context, as_json: bool) -> None:
    """Answer nine questions about derivatives, with the exact value beside each answer.

    Ends with exit code 1 if an answer differs from the exact value.

    \b
    apolar demo
    apolar demo --json
    """
    from apolar.cli.questions import QUESTIONS

    start = time.perf_counter()
    answers: list[Answer] = []
    data: list[dict[str, object]] = []
    for position, question in enumerate(QUESTIONS, start=1):
        found = list(question.answers())
        answers += found
        if as_json:
            data.append({"question": question.title, "setting": question.setting, "answers": [*map(_as_data, found)]})
        else:
            _print(position, question, found)
    wrong = [answer for answer in answers if not answer.agrees]
    if as_json:
        print_json({"all_agree": not wrong, "questions": data})
    else:
        _print_verdict(len(answers), wrong, time.perf_counter() - start)
    context.exit(1 if wrong else 0)


def _print(position: int, question: Question, answers: list[Answer]) -> None:
    heading = Table.grid(padding=(0, 2, 0, 0))
    heading.add_row(Text(str(position), "bold cyan"), Text(question.title, "bold"))
    heading.add_row("", Text(question.setting))
    table = Table.grid(padding=(0, 3, 0, 0))
    for answer in answers:
        value, exact = answer.shown or (_text(answer.value), _text(answer.exact))
        table.add_row("", Text(answer.call, "cyan"), Text("apolar", "dim"), Text(value, "bold"))
        table.add_row(
            "", Text(f"  {answer.formula}", "dim"), Text(answer.reference, "dim"), Text(exact), _agreement(answer)
        )
    show("", heading, "", table, *(Padding(Text(answer.note), (1, 0, 0, 3)) for answer in answers if answer.note))


def _agreement(answer: Answer) -> Text:
    error = "exactly" if answer.error == 0 else f"to {answer.error:.0e}"
    return Text(f"✓ {error}", "green") if answer.agrees else Text(f"✗ off by {answer.error:.1e}", "bold red")


def _text(value: Tensor) -> str:
    """A number, (a, vector), or [the rows] of a matrix, one below the other; a third axis stays in a row."""
    if value.ndim == 0:
        return number(value.item(), DIGITS)
    if value.ndim == 1:
        cells = [number(entry, DIGITS) for entry in value.tolist()]
        lines = [", ".join(cells[i : i + PER_LINE]) for i in range(0, len(cells), PER_LINE)]
        return f"({f',{chr(10)} '.join(lines)})"
    return "\n".join(_row(row) for row in value)


def _row(row: Tensor) -> str:
    return f"[{', '.join(map(_row, row))}]" if row.ndim else number(row.item(), DIGITS)


def _print_verdict(count: int, wrong: list[Answer], seconds: float) -> None:
    show("")
    if wrong:
        calls = "; ".join(answer.call for answer in wrong)
        show(f"✗ {len(wrong)} of {count} answers differ from the exact values: {calls}", style="bold red")
    else:
        show(f"✓ All {count} answers agree with the exact values. ({seconds:.0f} s)", style="bold green")


def _as_data(answer: Answer) -> dict[str, object]:
    value, exact = answer.shown or (answer.value.tolist(), answer.exact.tolist())
    return {
        "call": answer.call,
        "value": value,
        "exact": exact,
        "formula": answer.formula,
        "largest_difference": answer.error,
        "agrees": answer.agrees,
    }
