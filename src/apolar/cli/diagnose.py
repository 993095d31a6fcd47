"""``apolar diagnose``: what is wrong with the gradients of a script."""

from __future__ import annotations

import contextlib
import sys
from typing import cast

import click

from apolar.cli.output import json_option
from apolar.text.languages import LANGUAGES, Language


@click.command(
    short_help="Find out what is wrong with the gradients of a script.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@json_option
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True, help="Language of the findings.")
@click.argument("script", metavar="SCRIPT.py")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def diagnose(context: click.Context, script: str, arguments: tuple[str, ...], as_json: bool, lang: str) -> None:
    """Run SCRIPT.py and find out why gradients are None, zero, NaN, wrong or an error.

    The script is run as `python SCRIPT.py` would run it, with all that it prints; then the findings follow. Ends with the
    exit status of the script. With --json, what the script prints goes to standard error.

    \b
    apolar diagnose train.py --epochs 3
    apolar diagnose --lang zh train.py
    """
    from apolar.diagnosis.script import run

    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        diagnosis, status = run(script, arguments, cast(Language, lang))
    click.echo(diagnosis.to_json() if as_json else diagnosis.text())
    context.exit(status)
