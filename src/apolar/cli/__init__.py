"""The ``apolar`` command: thin, one file per sub-command, errors as one readable message."""

from __future__ import annotations

import click

from apolar import __version__
from apolar.cli.check import check
from apolar.cli.demo import demo
from apolar.cli.derive import derive
from apolar.cli.diagnose import diagnose
from apolar.cli.explain import explain
from apolar.cli.operators import operators
from apolar.cli.plan import plan
from apolar.cli.serve import serve
from apolar.errors import ApolarError

__all__ = ["main"]


class _Refusal(click.ClickException):
    exit_code = 2


class _Group(click.Group):
    """Prints what apolar refuses as a message, without a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ApolarError as error:
            raise _Refusal(str(error)) from error


@click.group(cls=_Group, context_settings={"max_content_width": 100})
@click.version_option(__version__, prog_name="apolar")
def main() -> None:
    """Exact partial derivatives of any order.

    \b
    apolar derive "x**3 + 2*x**2 + 1" --at x=2 --order 2
    apolar explain "cos(x^2)" --at x=0.5 --order 2
    apolar plan "(dx^2 + dy^2)^2"
    apolar diagnose train.py
    apolar demo
    """


for _command in (derive, explain, plan, check, diagnose, operators, serve, demo):
    main.add_command(_command)
