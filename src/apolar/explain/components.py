"""The derivatives as they travel forward with every value: the components of apolar's jets, and how one gives the next."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations_with_replacement

import sympy
import torch
from torch import Tensor

from apolar.evaluate import push
from apolar.explain.explanation import Component
from apolar.explain.local import Operation
from apolar.explain.notation import Formula, primes, written
from apolar.explain.tape import Node, ancestors
from apolar.operators import SUPERSCRIPTS, Operator, coordinates

LONGEST = 40
"""Formulas with more operations than this are not written out."""

Orders = tuple[int, ...]
"""For each input, how often the value is differentiated by it."""


def components(output: Node, inputs: Sequence[Node], order: int) -> dict[Node, dict[Orders, Component]]:
    """For every value on the way, its derivatives by the inputs up to an order; a vector moves along (1, …, 1).

    Args:
        output: the result.
        inputs: what to differentiate by.
        order: the highest.

    Raises:
        ApolarError: the function calls something that jets cannot pass.
    """
    nodes = ancestors(output)
    moving = [n for n in nodes if n.active and n.kind == "operation"]
    system = coordinates([f"t{k}" for k in range(len(inputs))])
    wanted = {orders: _monomial(list(system), orders) for orders in _all_orders(len(inputs), order)}

    def replay(*points: Tensor) -> list[Tensor]:
        values = {node: node.value for node in nodes} | dict(zip(inputs, points))
        for node in nodes:
            if node in moving:
                values[node] = node.call([values[operand] for operand in node.operands])
        return [values[node] for node in moving]

    points = [node.value for node in inputs]
    seeds = [[torch.ones_like(x) if j == k else None for j in range(len(points))] for k, x in enumerate(points)]
    with torch.no_grad():
        results = push(replay, points, seeds, list(wanted.values()))
    found: dict[Node, dict[Orders, Component]] = {}
    for k, node in enumerate(moving):
        formulas = _formulas(node, list(wanted), inputs)
        found[node] = {
            orders: Component(_name(node.name, orders, inputs), formulas[orders], results[i][k].detach())
            for i, orders in enumerate(wanted)
        }
    return found


def _all_orders(inputs: int, order: int) -> list[Orders]:
    """Every partial derivative of order 1 and more, lower orders first."""
    return [
        tuple(chosen.count(k) for k in range(inputs))
        for n in range(1, order + 1)
        for chosen in combinations_with_replacement(range(inputs), n)
    ]


def _monomial(symbols: Sequence[Operator], orders: Orders) -> Operator:
    return math.prod((s**n for s, n in zip(symbols, orders) if n), start=symbols[0].coordinates.one)


def _formulas(node: Node, wanted: Sequence[Orders], inputs: Sequence[Node]) -> dict[Orders, Formula | None]:
    """The chain rule for one operation, in the derivatives of its operands; lower orders come first."""
    operation = Operation(node)
    if operation.expression is None:
        return dict.fromkeys(wanted)
    variables = sympy.symbols([f"t{k}" for k in range(len(inputs))], real=True)
    first = [node.operands.index(operand) for operand in node.operands]
    inside = {
        s: sympy.Function(operation.symbols[k].name, real=True)(*variables) for s, k in zip(operation.symbols, first)
    }
    outside = {function: symbol for symbol, function in inside.items()}
    derivatives: dict[Orders, sympy.Expr | None] = {(0,) * len(inputs): operation.expression.xreplace(inside)}
    formulas: dict[Orders, Formula | None] = {}
    for orders in wanted:
        k = next(k for k, n in enumerate(orders) if n)
        lower = derivatives[(*orders[:k], orders[k] - 1, *orders[k + 1 :])]
        derivatives[orders] = formulas[orders] = None
        if lower is None:
            continue
        expression = sympy.expand(sympy.diff(lower, variables[k]))
        names = dict(operation.names)
        known: dict[sympy.Expr, sympy.Expr] = {}
        for derivative in expression.atoms(sympy.Derivative):
            counts = dict(derivative.variable_count)
            operand = node.operands[operation.symbols.index(outside[derivative.expr])]
            known[derivative] = _inner(operand, tuple(int(counts.get(t, 0)) for t in variables), inputs, names)
        found = expression.xreplace(known).xreplace(outside)
        if found.count_ops() <= LONGEST:
            derivatives[orders], formulas[orders] = expression, written(found, names)
    return formulas


def _inner(operand: Node, orders: Orders, inputs: Sequence[Node], names: dict[sympy.Symbol, Formula]) -> sympy.Expr:
    """The derivative of an operand: a symbol of its own; a number where the operand is an input or a constant."""
    if operand in inputs:
        return sympy.Integer(int(sum(orders) == 1 and orders[inputs.index(operand)] == 1))
    if not operand.active or operand.kind == "parameter":
        return sympy.S.Zero
    name = _name(operand.name, orders, inputs)
    symbol = sympy.Symbol(f"w{sum(orders)} {name.plain}", real=True)
    names[symbol] = name
    return symbol


def _name(name: Formula, orders: Orders, inputs: Sequence[Node]) -> Formula:
    """v₂″ with one input, ∂x∂y v₂ with several."""
    if len(inputs) == 1:
        (n,) = orders
        return Formula(name.plain + primes(n).plain, f"{{{name.latex}}}^{{{primes(n).latex}}}")
    plain, latex = "", ""
    for variable, n in zip(inputs, orders):
        if n:
            plain += f"∂{variable.name.plain}" + (str(n).translate(SUPERSCRIPTS) if n > 1 else "")
            latex += rf"\partial_{{{variable.name.latex}}}" + (f"^{{{n}}}" if n > 1 else "")
    return Formula(f"{plain} {name.plain}", f"{latex} {name.latex}")
