"""``apolar derive``: the derivatives of a typed formula at a point."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

import click

import apolar as ap
from apolar.algebras.operators import SUPERSCRIPTS, Operator
from apolar.cli.output import json_option, number, print_json, rows, show
from apolar.cli.points import at_option, parse_point, refuse_without_value
from apolar.errors import ExpressionError
from apolar.expression import Expression, parse, parse_operators

if TYPE_CHECKING:
    from apolar.cli.derivatives import Results

MAX_DERIVATIVES = 1000
MAX_ORDER = 60


class FormulaCommand(click.Command):
    """Lets a formula begin with a minus sign, which would otherwise be an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, [f" {a}" if re.match("-[^-]", a) else a for a in args])


@click.command(cls=FormulaCommand, short_help="Differentiate a formula at a point.")
@click.argument("formula")
@at_option
@click.option("--wrt", multiple=True, metavar="NAMES", help="Differentiate with respect to these only.")
@click.option("--order", type=click.IntRange(1, MAX_ORDER), help="Every derivative up to this order (default 1).")
@click.option("--gradient", is_flag=True, help="The gradient; of a vector, the Jacobian.")
@click.option("--hessian", is_flag=True, help="The matrix of second derivatives.")
@click.option("--operator", "operators", multiple=True, metavar="TEXT", help='Such as "dx*dy" or "dx^2 + dy^2".')
@click.option("--dtype", type=click.Choice(["float64", "float32"]), default="float64", show_default=True)
@json_option
def derive(
    formula: str,
    assignments: tuple[str, ...],
    wrt: tuple[str, ...],
    order: int | None,
    gradient: bool,
    hessian: bool,
    operators: tuple[str, ...],
    dtype: str,
    as_json: bool,
) -> None:
    """Differentiate a FORMULA, or several separated by commas, at a point.

    The exact derivatives come from one pass; SymPy's formula stands beside them where it is short.

    \b
    apolar derive "x**3 + 2*x**2 + 1" --at x=2 --order 2
    apolar derive "x^2 + x*y + z" --at x=-1,y=2,z=3 --gradient
    apolar derive "sin(x)*exp(y)" --at x=pi/2,y=0 --operator "dx*dy" --operator "dx^2 + dy^2"
    apolar derive "x*y, x + z" --at x=1,y=2,z=3
    """
    from apolar.cli.derivatives import evaluate

    given = parse_point(assignments)
    expression = parse(formula, known=given)
    point = _complete(given, expression)
    names = _known([name for text in wrt for name in text.replace(",", " ").split()], expression.variables)
    system = ap.coordinates(expression.variables)
    symbols = [system[name] for name in names or expression.variables]

    asked = list(parse_operators(operators, expression.variables)) if operators else []
    orders = {1} if gradient else set()
    orders |= {2} if hessian else set()
    if order or not (asked or orders):
        orders |= set(range(1, (order or 1) + 1))
    count = sum(math.comb(len(symbols) + n - 1, n) for n in orders)
    if count > MAX_DERIVATIVES:
        raise ExpressionError(f"these are {count} derivatives; use --wrt, --operator or a smaller --order")
    partials = [p for n in sorted(orders) for p in _partials(symbols, n)]

    results = evaluate(expression, point, dtype, [system.one, *partials, *asked])
    if as_json:
        print_json(_as_data(results, symbols, orders))
    else:
        _print(results, symbols, orders, digits=12 if dtype == "float64" else 6)
    for i, f in enumerate(_functions(expression)):
        slopes = {name: results.values[system[name]][i] for name in point if system[name] in results.values}
        refuse_without_value(f, results.values[system.one][i], slopes, point)


# ---------------------------------------------------------------------------------------------------------------- input


def _complete(point: dict[str, float], expression: Expression) -> dict[str, float]:
    if not expression.variables:
        raise ExpressionError(f"{expression.text} has no variable, so there is nothing to differentiate")
    _known(list(point), expression.variables)
    missing = [name for name in expression.variables if name not in point]
    if missing:
        raise ExpressionError(f"a value is missing: add --at {','.join(f'{name}=…' for name in missing)}")
    return {name: point[name] for name in expression.variables}


def _known(names: list[str], variables: tuple[str, ...]) -> list[str]:
    for name in names:
        if name not in variables:
            close = get_close_matches(name, variables, n=1)
            hint = f"did you mean {close[0]}?" if close else f"the variables are {', '.join(variables)}"
            raise ExpressionError(f"the formula has no variable {name}; {hint}")
    return list(dict.fromkeys(names))


def _partials(symbols: Sequence[Operator], order: int) -> Iterator[Operator]:
    """All partial derivatives of one order, each once."""
    for factors in itertools.combinations_with_replacement(symbols, order):
        yield math.prod(factors[1:], start=factors[0])


# --------------------------------------------------------------------------------------------------------------- output


def _print(results: Results, symbols: Sequence[Operator], orders: set[int], digits: int) -> None:
    expression = results.expression
    point = ", ".join(f"{name} = {number(value)}" for name, value in results.point.items())
    show(f"f({', '.join(expression.variables)}) = {expression.text}", style="bold")
    show(f"at {point}", "")
    table = [
        (_label(operator, f), number(values[i], digits), results.formulas[operator][i] or "")
        for i, f in enumerate(_functions(expression))
        for operator, values in results.values.items()
    ]
    show(rows(table, headers=("", "value", "formula"), numbers=(1,)))
    if not all(math.isfinite(v) for values in results.values.values() for v in values):
        show("", "Not every result is finite: the function or a derivative has no value at this point.")
    for title, matrix in _matrices(results, symbols, orders).items():
        if len(matrix) > 1 or len(matrix[0]) > 1:
            cells = [tuple(number(value, digits) for value in row) for row in matrix]
            show("", title, rows(cells, numbers=tuple(range(len(cells[0])))))


def _functions(expression: Expression) -> list[str]:
    """f, or the components f₁, f₂, …"""
    if not expression.is_vector:
        return ["f"]
    return [f"f{str(i + 1).translate(_SUBSCRIPTS)}" for i in range(len(expression.components))]


_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_PRIMES = {1: "′", 2: "″", 3: "‴"}


def _label(operator: Operator, f: str) -> str:
    """f, f′, f⁽⁴⁾ with one variable; ∂²f/∂x∂y with several; (∂x² + ∂y²) f for what is not one derivative."""
    if operator.order == 0 and operator == operator.coordinates.one:
        return f
    if len(operator.terms) > 1 or set(operator.terms.values()) != {1}:
        return f"({operator!r}) {f}"
    if len(operator.coordinates) == 1:
        return f + _PRIMES.get(operator.order, f"⁽{_superscript(operator.order)}⁾")
    power = _superscript(operator.order) if operator.order > 1 else ""
    return f"∂{power}{f}/{operator!r}"


def _superscript(n: int) -> str:
    return str(n).translate(SUPERSCRIPTS)


def _matrices(results: Results, symbols: Sequence[Operator], orders: set[int]) -> dict[str, list[list[float]]]:
    """The gradient, Jacobian and Hessians among the results, as matrices."""
    vector, matrices = results.expression.is_vector, {}
    if 1 in orders and vector:
        matrices["Jacobian"] = [list(row) for row in zip(*(results.values[s] for s in symbols), strict=True)]
    if 2 in orders:
        for i, f in enumerate(_functions(results.expression)):
            matrices[f"Hessian of {f}" if vector else "Hessian"] = [
                [results.values[a * b][i] for b in symbols] for a in symbols
            ]
    return matrices


def _as_data(results: Results, symbols: Sequence[Operator], orders: set[int]) -> dict[str, object]:
    expression = results.expression
    one = symbols[0].coordinates.one

    def scalar(values: Sequence[object]) -> object:
        return list(values) if expression.is_vector else values[0]

    data: dict[str, object] = {
        "formula": expression.text,
        "at": results.point,
        "value": scalar(results.values[one]),
        "derivatives": [
            {"operator": repr(p), "value": scalar(values), "formula": scalar(results.formulas[p])}
            for p, values in results.values.items()
            if p != one
        ],
    }
    if 1 in orders and not expression.is_vector:
        data["gradient"] = [results.values[s][0] for s in symbols]
    matrices = _matrices(results, symbols, orders)
    if "Jacobian" in matrices:
        data["jacobian"] = matrices.pop("Jacobian")
    if matrices:
        data["hessian"] = scalar(list(matrices.values()))
    return data
