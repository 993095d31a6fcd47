"""The derivatives as they travel forward with every value: the components of apolar's jets, and how one gives the next."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations_with_replacement

import sympy
import torch
from torch import Tensor

from apolar.algebras.operators import SUPERSCRIPTS, Operator, coordinates
from apolar.evaluation.evaluate import push
from apolar.explanation.explanation import Component
from apolar.explanation.local import Operation
from apolar.explanation.notation import Formula, primes, written
from apolar.explanation.tape import Node, ancestors

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
    first = [operation.symbols[node.operands.index(operand)] for operand in node.operands]
    stands: dict[sympy.Symbol, tuple[Node, Orders]] = {s: (x, (0,) * len(inputs)) for s, x in zip(first, node.operands)}
    names = dict(operation.names)

    def moved(symbol: sympy.Symbol, k: int) -> sympy.Expr:
        """The derivative of what a symbol stands for: another symbol; a number for an input or a constant."""
        operand, orders = stands[symbol]
        if operand in inputs:
            return sympy.Integer(int(operand is inputs[k]))
        if not operand.active or operand.kind == "parameter":
            return sympy.S.Zero
        orders = _raised(orders, k, 1)
        name = _name(operand.name, orders, inputs)
        symbol = sympy.Symbol(f"w{sum(orders)} {name.plain}", real=True)
        stands[symbol], names[symbol] = (operand, orders), name
        return symbol

    derivatives: dict[Orders, sympy.Expr | None] = {
        (0,) * len(inputs): operation.expression.xreplace(dict(zip(operation.symbols, first)))
    }
    for orders in wanted:
        k = next(k for k, n in enumerate(orders) if n)
        lower = derivatives[_raised(orders, k, -1)]
        found = lower and sympy.expand(sympy.Add(*(lower.diff(s) * moved(s, k) for s in lower.free_symbols)))
        derivatives[orders] = None if found is None or found.count_ops() > LONGEST else found
    return {n: None if found is None else written(found, names) for n, found in derivatives.items() if n in wanted}


def _raised(orders: Orders, k: int, by: int) -> Orders:
    return (*orders[:k], orders[k] + by, *orders[k + 1 :])


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
