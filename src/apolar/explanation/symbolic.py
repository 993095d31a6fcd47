"""The same derivatives as SymPy writes them, where it has words for every operation."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from functools import partial

import mpmath
import sympy
import torch
from sympy.functions.elementary.hyperbolic import HyperbolicFunction
from torch import Tensor

from apolar.explanation.explanation import By, Symbolic
from apolar.explanation.functions import absolute, sign
from apolar.explanation.local import Operation
from apolar.explanation.notation import written
from apolar.explanation.tape import Node, ancestors
from apolar.expression.time_limit import within

LONGEST, SIMPLIFIED = 100, 30
"""Expressions with more operations than the first are not shown; with more than the second, only expanded or factored."""

SLOW = (sympy.erf, sympy.erfc, HyperbolicFunction, sympy.Abs, sympy.sign, sympy.Heaviside, sympy.Piecewise)
"""What SymPy takes seconds or minutes to simplify, with little gain."""

PATIENCE = 2.0
"""After so many seconds no further formula is derived."""

SIMPLIFYING = 1.0
"""After so many seconds a formula is shown as it is."""

BITS = 120
"""In which formulas are computed. SymPy's evalf may take more and more bits without end, as for 1 + erf(-900)."""

ENTRIES = 3
"""So many entries of a vector are compared with the numbers."""


def function(output: Node, inputs: Sequence[Node]) -> sympy.Expr | None:
    """The recorded value as an expression in its inputs; None where SymPy has no word for an operation.

    Tensors are meant entry by entry, so all of them need one shape.
    """
    known: dict[Node, sympy.Expr] = {}
    for node in ancestors(output):
        if node.kind == "input":
            known[node] = sympy.Symbol(node.label, real=True)
        elif node.kind == "operation" and node.active:
            expression = Operation(node).expression
            if expression is None or not all(operand in known for operand in node.operands):
                return None
            known[node] = expression.xreplace(dict(zip(Operation(node).symbols, (known[x] for x in node.operands))))
            if known[node].count_ops() > LONGEST:
                return None
        if (node in known and node.value.shape != output.value.shape) or node.value.is_complex():
            return None
    found = known.get(output)
    return None if found is None or not set(inputs) & set(known) else found.doit()


def derivatives(
    expression: sympy.Expr, inputs: Sequence[Node], numbers: Mapping[By, Tensor], value: Tensor
) -> tuple[Symbolic, ...]:
    """The function and each of these derivatives, simplified; those that are too long are left out.

    Args:
        expression: the function.
        inputs: its variables.
        numbers: the derivatives by name; a formula that does not give them is left out, as beside a kink.
        value: of the function.
    """
    symbols = {node.label: sympy.Symbol(node.label, real=True) for node in inputs}
    names = {symbols[node.label]: node.name for node in inputs}
    found: dict[By, sympy.Expr] = {(): expression}
    shown = []
    end = time.monotonic() + PATIENCE
    for by, wanted in {(): value, **numbers}.items():
        left = end - time.monotonic()
        if left < 0 or (by and (by[:-1] not in found or by[-1] not in symbols)):
            continue
        formula = _formula(found[by[:-1]], symbols[by[-1]], left) if by else expression
        if formula is None or formula.has(sympy.Derivative, sympy.Subs):
            continue
        found[by] = formula
        if within(end - time.monotonic(), partial(_agrees, formula, symbols, inputs, wanted)):
            shown.append(Symbolic(by, written(formula, names), str(formula)))
    return tuple(shown)


def _formula(expression: sympy.Expr, symbol: sympy.Symbol, seconds: float) -> sympy.Expr | None:
    """The derivative, simplified if there is time for that; None where it is too long or takes too long."""
    found = within(seconds, partial(_derivative, expression, symbol))
    if found is None or found.count_ops() > LONGEST:
        return None
    return within(min(seconds, SIMPLIFYING), partial(_simple, found)) or found


def _derivative(expression: sympy.Expr, symbol: sympy.Symbol) -> sympy.Expr:
    """Away from kinks, where the derivative of a step is 0; SymPy's |u| and sign u may be of complex numbers."""
    real = expression.replace(sympy.Abs, absolute).replace(sympy.sign, sign)
    return sympy.diff(real, symbol).doit().replace(sympy.DiracDelta, lambda *_: sympy.S.Zero)


def _simple(expression: sympy.Expr) -> sympy.Expr:
    """The shortest of a few forms."""
    small = expression.count_ops() <= SIMPLIFIED and not expression.has(*SLOW)
    forms = [sympy.simplify(expression) if small else expression]
    forms += [sympy.expand(forms[0]), sympy.factor_terms(forms[0]), sympy.powsimp(forms[0])]
    return min(forms, key=lambda form: (form.count_ops(), not form.is_Add))


def _agrees(formula: sympy.Expr, symbols: Mapping[str, sympy.Symbol], inputs: Sequence[Node], wanted: Tensor) -> bool:
    """Whether the formula gives the numbers."""
    values = wanted.reshape(-1)[:ENTRIES].tolist()
    points = [
        {symbols[node.label]: sympy.Float(float(node.value.reshape(-1)[k]), 20) for node in inputs}
        for k in range(len(values))
    ]
    precision = math.sqrt(torch.finfo(wanted.dtype).eps)
    for point, value in zip(points, values):
        try:
            number = mpmath.mpmathify(formula.xreplace(point)._eval_evalf(BITS))
        except (TypeError, ValueError, AttributeError, ZeroDivisionError, OverflowError):
            return False
        if not (math.isfinite(value) and abs(number - value) <= precision * max(1.0, abs(value))):
            return False
    return True
