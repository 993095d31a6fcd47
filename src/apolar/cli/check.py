"""``apolar check``: whether the derivatives of a function in a file are right."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import click

import apolar as ap
from apolar.cli.output import json_option, print_json, show
from apolar.cli.points import at_option, parse_point
from apolar.errors import FunctionError
from apolar.expression import parse_operators

if TYPE_CHECKING:
    from apolar.verification.check import Comparison


@click.command(short_help="Compare derivatives with independent methods.")
@click.argument("target", metavar="FILE.py:FUNCTION")
@at_option
@click.option(
    "--operator", "operators", multiple=True, metavar="TEXT", help='Such as "dx*dy"; by default, all of order 1 and 2.'
)
@json_option
@click.pass_context
def check(
    context: click.Context, target: str, assignments: tuple[str, ...], operators: tuple[str, ...], as_json: bool
) -> None:
    """Compare derivatives of FUNCTION with independent methods, at one point.

    FUNCTION takes points (..., d), with the coordinates in the order of --at. It is ordinary Python: the file is run.
    Ends with exit code 1 if a derivative is wrong or in doubt.

    \b
    apolar check model.py:energy --at x=1,y=2 --operator "dx^2 + dy^2"
    """
    import torch

    point = parse_point(assignments)
    system = ap.coordinates(list(point))
    first = list(system)
    second = [a * b for i, a in enumerate(first) for b in first[i:]]
    asked = parse_operators(operators, system.names) if operators else (*first, *second)
    function = load(target)
    report = ap.check(function, torch.tensor([list(point.values())], dtype=torch.float64), *asked)
    if as_json:
        print_json(
            {"target": target, "at": point, "ok": report.ok, "operators": [_as_data(row) for row in report.rows]}
        )
    else:
        show(repr(report))
    context.exit(0 if report.ok else 1)


def _as_data(row: Comparison) -> dict[str, object]:
    return {
        "operator": repr(row.operator),
        "ok": row.verdict.ok,
        "verdict": row.verdict.value,
        "nested_autograd": row.nested,
        "finite_differences": row.sampled,
        "trusted_to": row.uncertainty,
    }


def load(target: str) -> Callable[..., Any]:
    """The function that ``FILE.py:function`` names.

    Raises:
        FunctionError: no such file or function, or the file fails when it is run.
    """
    path, colon, name = target.rpartition(":")
    if not colon or not path.endswith(".py"):
        raise FunctionError(f"{target!r} does not name a function: write FILE.py:function")
    module = _run(Path(path))
    function = getattr(module, name, None)
    if function is None:
        close = get_close_matches(name, vars(module), n=1)
        raise FunctionError(f"{path} has no function {name}" + (f"; did you mean {close[0]}?" if close else ""))
    if not callable(function) or isinstance(function, type):
        raise FunctionError(f"{name} in {path} is a {type(function).__name__}, not a function of points or a module")
    return function


def _run(path: Path) -> ModuleType:
    if not path.is_file():
        raise FunctionError(f"there is no file {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise FunctionError(f"{path} fails when it is run: {type(error).__name__}: {error}") from error
    finally:
        sys.path.pop(0)
    return module
