"""``apolar explain``: the steps of a derivative."""

from __future__ import annotations

from pathlib import Path

import click

import apolar as ap
from apolar.cli.check import load
from apolar.cli.derive import FormulaCommand
from apolar.cli.output import json_option, show
from apolar.cli.points import at_option, parse_point, refuse_without_value
from apolar.text.languages import LANGUAGES, Language

MAX_ORDER = 6


@click.command(cls=FormulaCommand, short_help="Show the steps of a derivative.")
@click.argument("function", metavar="FORMULA")
@at_option
@click.option("--order", type=click.IntRange(1, MAX_ORDER), default=1, show_default=True, help="Up to this derivative.")
@click.option(
    "--lang", type=click.Choice(LANGUAGES), default="en", show_default=True, help="The language of the texts."
)
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write a page to a file.")
@click.option("--latex", is_flag=True, help="Print a LaTeX document.")
@click.option("--dot", is_flag=True, help="Print the computation graph for Graphviz.")
@json_option
def explain(
    function: str,
    assignments: tuple[str, ...],
    order: int,
    lang: Language,
    html: Path | None,
    latex: bool,
    dot: bool,
    as_json: bool,
) -> None:
    """Show every step by which a FORMULA is computed and differentiated.

    Instead of a formula, FILE.py:FUNCTION names a function in a file of Python, which is run. It takes points (d,), with
    the coordinates in the order of --at.

    \b
    apolar explain "cos(x^2)" --at x=0.5 --order 2
    apolar explain "x*exp(y)" --at x=1,y=2 --html steps.html
    apolar explain "sin(x)/x" --at x=1 --lang zh
    """
    import torch

    from apolar.explanation.text import renderables

    point = parse_point(assignments)
    if ".py:" in function:
        loaded = load(function)
        weights = loaded.parameters() if isinstance(loaded, torch.nn.Module) else ()
        x = torch.tensor(list(point.values()), dtype=next((w.dtype for w in weights), torch.float64))
        explanation = ap.explain(loaded, x, order, lang=lang)
    else:
        explanation = ap.explain(function, point, order, lang=lang)
    if html is not None:
        explanation.to_html(html)
        show(str(html))
    elif latex:
        click.echo(explanation.to_latex())
    elif dot:
        click.echo(explanation.to_dot(), nl=False)
    elif as_json:
        click.echo(explanation.to_json())
    else:
        show(*renderables(explanation, lang))
    if explanation.value.ndim == 0 and ".py:" not in function:
        slopes = {name: float(explanation.derivatives[name,]) for name in point}
        refuse_without_value("f", float(explanation.value), slopes, point)
