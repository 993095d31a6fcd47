"""The derivatives of ``apolar derive``: numbers from one pass, and SymPy's formulas beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import sympy
import torch

import apolar as ap
from apolar.algebras.operators import Operator
from apolar.expression import Expression
from apolar.expression.time_limit import within

MAX_SYMBOLIC_ORDER = 8
MAX_SYMBOLIC_SIZE = 400
MAX_SYMBOLIC_CHARACTERS = 100
SYMBOLIC_SECONDS = 2.0


@dataclass(frozen=True)
class Results:
    """The components of ``operator`` applied to the expression, by operator."""

    expression: Expression
    point: dict[str, float]
    values: dict[Operator, list[float]]
    formulas: dict[Operator, list[str | None]]


def evaluate(expression: Expression, point: dict[str, float], dtype: str, operators: Sequence[Operator]) -> Results:
    """The operators applied to the expression at the point, in ``torch.float64`` or another dtype by its name.

    The first operator is 1, the expression itself.
    """
    wanted = list(dict.fromkeys(operators))
    at = tuple(torch.tensor(point[name], dtype=getattr(torch, dtype)) for name in expression.variables)
    tensors = ap.evaluate(expression, at, *wanted)
    if len(wanted) == 1:
        tensors = (tensors,)
    value = tensors[wanted.index(operators[0])]
    tensors = [
        t.masked_fill(value.isnan(), math.nan) for t in tensors
    ]  # outside of its domain, log x has no derivative 1/x
    values = {p: t.reshape(-1).tolist() for p, t in zip(wanted, tensors, strict=True)}
    without: dict[Operator, list[str | None]] = {p: [None] * len(expression.components) for p in wanted}
    formulas = within(SYMBOLIC_SECONDS, lambda: _symbolic(expression, wanted)) or without
    return Results(expression, point, values, formulas)


def _symbolic(expression: Expression, operators: Sequence[Operator]) -> dict[Operator, list[str | None]]:
    """SymPy's formula of every result, where there is one that is short enough to read."""
    symbolic = expression.symbolic()
    components = list(symbolic) if expression.is_vector else [symbolic]
    variables = [sympy.Symbol(name, real=True) for name in expression.variables]
    known: dict[tuple[int, ...], list[sympy.Expr | None]] = {(0,) * len(variables): components}

    def partial(monomial: tuple[int, ...]) -> list[sympy.Expr | None]:
        """From the derivative of one order less."""
        if monomial not in known:
            j = next(j for j, power in enumerate(monomial) if power)
            before = partial((*monomial[:j], monomial[j] - 1, *monomial[j + 1 :]))
            known[monomial] = [None if f is None else _small(sympy.diff(f, variables[j])) for f in before]
        return known[monomial]

    def combination(operator: Operator) -> list[str | None]:
        if operator.order > MAX_SYMBOLIC_ORDER:
            return [None] * len(components)
        terms = [(sympy.Rational(c.numerator, c.denominator), partial(m)) for m, c in operator.terms.items()]
        return [
            None if any(f[i] is None for _, f in terms) else _text(sympy.Add(*(c * f[i] for c, f in terms)))
            for i in range(len(components))
        ]

    return {operator: combination(operator) for operator in operators}


def _small(formula: sympy.Expr) -> sympy.Expr | None:
    return formula if formula.count_ops() <= MAX_SYMBOLIC_SIZE else None


def _text(formula: sympy.Expr) -> str | None:
    if formula.has(sympy.DiracDelta, sympy.Derivative, sympy.Subs):
        return None
    try:
        text = str(formula)
    except ValueError:  # an integer with thousands of digits
        return None
    return text if len(text) <= MAX_SYMBOLIC_CHARACTERS else None
