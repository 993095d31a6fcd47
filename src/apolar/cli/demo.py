"""``apolar demo``: questions that people ask about derivatives, each answered beside the exact value."""

from __future__ import annotations

import time

import click
from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text
from torch import Tensor

from apolar.cli.output import console, json_option, number, print_json
from apolar.cli.questions import QUESTIONS, Answer, Question

WIDTH = 118


@click.command()
@json_option
@click.pass_context
def demo(context: click.Context, as_json: bool) -> None:
    """Answer nine questions about derivatives, with the exact value beside each answer.

    Ends with exit code 1 if an answer differs from the exact value.

    \b
    apolar demo
    apolar demo --json
    """
    start, out = time.perf_counter(), console()
    answers: list[Answer] = []
    data: list[dict[str, object]] = []
    for position, question in enumerate(QUESTIONS, start=1):
        found = list(question.answers())
        answers += found
        if as_json:
            data.append({"question": question.title, "setting": question.setting, "answers": [*map(_as_data, found)]})
        else:
            _print(out, position, question, found)
    wrong = [answer for answer in answers if not answer.agrees]
    if as_json:
        print_json({"all_agree": not wrong, "questions": data})
    else:
        _print_verdict(out, len(answers), wrong, time.perf_counter() - start)
    context.exit(1 if wrong else 0)


def _print(out: Console, position: int, question: Question, answers: list[Answer]) -> None:
    title = Text.assemble((f"{position}  ", "bold cyan"), (question.title, "bold"))
    out.print()
    out.print(Rule(title, align="left", style="dim"), width=min(out.width, WIDTH))
    out.print(Padding(Text(question.setting), (0, 0, 1, 3)))
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    for header in ("", *question.headers, "agreement"):
        table.add_column(header)
    for answer in answers:
        value, exact = answer.shown or (_text(answer.value), _text(answer.exact))
        table.add_row(
            "  ", Text(answer.call), Text(value, "bold"), Text(exact), Text(answer.formula, "dim"), _agreement(answer)
        )
    out.print(table)


def _agreement(answer: Answer) -> Text:
    error = "exactly" if answer.error == 0 else f"to {answer.error:.0e}"
    return Text(f"✓ {error}", "green") if answer.agrees else Text(f"✗ off by {answer.error:.1e}", "bold red")


def _text(value: Tensor) -> str:
    """A number, (a, vector), or [the rows] of a matrix one below the other; a third axis stays in a row.

    Ten numbers and more go over several lines.
    """
    if value.ndim == 0:
        return number(float(value), 7)
    if value.ndim == 1:
        cells = [number(entry, 7) for entry in value.tolist()]
        lines = [", ".join(cells[i : i + 4]) for i in range(0, len(cells), 4)]
        return f"({(',' + chr(10) + ' ').join(lines)})"
    return "\n".join(_row(row) for row in value)


def _row(row: Tensor) -> str:
    if row.ndim == 0:
        return number(float(row), 7)
    return f"[{', '.join(map(_row, row))}]"


def _print_verdict(out: Console, count: int, wrong: list[Answer], seconds: float) -> None:
    out.print()
    if wrong:
        calls = "; ".join(answer.call for answer in wrong)
        out.print(f"✗ {len(wrong)} of {count} answers differ from the exact values: {calls}", style="bold red")
    else:
        out.print(f"✓ All {count} answers agree with the exact values. ({seconds:.0f} s)", style="bold green")


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
