"""Differential operators as they are typed."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

from apolar.algebras.operators import Coordinates, Operator, coordinates
from apolar.expression.functions import CONSTANTS, OPERATIONS
from apolar.expression.reader import Reader, guess, split_names
from apolar.expression.source import Source

MAX_ORDER = 100
MAX_TERMS = 20_000
"""How many terms an operator may have when it is multiplied out."""

_NAMED = ("laplacian", "bilaplacian")


def parse_operator(text: str, variables: str | Sequence[str] | None = None) -> Operator:
    """Read a differential operator with constant coefficients.

    Args:
        text: symbols such as ``dx`` or ``∂x``, numbers, ``+ - * /``, ``**`` or ``^``; ``laplacian``, ``bilaplacian``.
        variables: the coordinates in their order; by default those that occur, as they appear.

    Raises:
        ExpressionError: with the place, and what would work.

    >>> parse_operator("dt - 0.1*(dx^2 + dy^2)", "x y t")
    -1/10 ∂x² - 1/10 ∂y² + ∂t
    """
    return parse_operators([text], variables)[0]


def parse_operators(texts: Iterable[str], variables: str | Sequence[str] | None = None) -> tuple[Operator, ...]:
    """Read several operators in one coordinate system.

    >>> parse_operators(["dx", "dx*dy"])
    (∂x, ∂x∂y)
    """
    sources = [Source(text) for text in texts]
    nodes = [source.parse() for source in sources]
    names = split_names(variables) if variables is not None else _coordinates_of(sources, nodes)
    system = coordinates(names)
    built = [_OperatorReader(source, system).read(node) for source, node in zip(sources, nodes, strict=True)]
    return tuple(b if isinstance(b, Operator) else b * system.one for b in built)


class _OperatorReader(Reader[Any]):
    """Builds operators, and numbers as their coefficients: exact where the arithmetic is rational."""

    def __init__(self, source: Source, system: Coordinates) -> None:
        super().__init__(source)
        self.system = system

    def number(self, node: ast.expr, value: Fraction) -> Fraction:
        return value

    def name(self, node: ast.Name) -> Operator | float:
        if node.id in _NAMED:
            return getattr(self.system, node.id)
        if node.id in CONSTANTS:
            return CONSTANTS[node.id].torch()
        coordinate = _coordinate(self.source, node)
        if coordinate not in self.system.names:
            symbols = [f"d{name}" for name in self.system.names]
            if len(coordinate) > 1 and set(coordinate) <= set(self.system.names):
                product = "*".join(f"d{name}" for name in coordinate)
                self.source.at(node, f"there is no coordinate {coordinate}; did you mean {product}?")
            close = guess(node.id, symbols) or f"; the symbols are {', '.join(symbols)}"
            self.source.at(node, f"there is no coordinate {coordinate}{close}")
        return self.system[coordinate]

    def apply(self, node: ast.expr, function: str, arguments: list[Any]) -> Any:
        if not any(isinstance(a, Operator) for a in arguments):
            exact = function in OPERATIONS and all(isinstance(a, Fraction) for a in arguments)
            value = self.value(node, function, [float(a) for a in arguments])
            if exact and (function != "**" or arguments[1].denominator == 1):
                return Fraction(OPERATIONS[function].torch(*arguments))
            return value
        if function not in OPERATIONS:
            self.source.at(node, f"{function} of a differential operator has no meaning here; use + - * ** and numbers")
        orders = [a.order if isinstance(a, Operator) else 0 for a in arguments]
        if function == "/" and isinstance(arguments[1], Operator):
            self.source.at(node, "an operator can be divided only by a number, such as dx**2/2")
        if function == "/" and not arguments[1]:
            self.source.at(node, "this divides by 0")
        if function == "**":
            if isinstance(arguments[1], Operator) or arguments[1] < 0 or arguments[1] != int(arguments[1]):
                self.source.at(node, "an operator can be raised to a power 0, 1, 2, …")
            arguments[1] = int(arguments[1])
            orders = [orders[0] * arguments[1]]
        order = sum(orders)
        if order > MAX_ORDER:
            self.source.at(node, f"this operator has order {order}; at most {MAX_ORDER} are read")
        if math.comb(len(self.system) + order, order) > MAX_TERMS:
            self.source.at(node, f"this operator has order {order} and may have more than {MAX_TERMS} terms")
        return OPERATIONS[function].torch(*arguments)

    def constant(self, built: Any) -> float | None:
        return None if isinstance(built, Operator) else float(built)


def _coordinate(source: Source, node: ast.Name) -> str:
    name = node.id
    if len(name) < 2 or not name.startswith("d"):
        close = guess(name, _NAMED) or f"; did you mean d{name}?"
        source.at(node, f"{name} is not a differential symbol: those are d and a coordinate, such as dx{close}")
    return name[1:]


def _coordinates_of(sources: list[Source], nodes: list[ast.expr]) -> tuple[str, ...]:
    """The coordinates that occur, as they appear in the texts."""
    found: list[str] = []
    for source, node in zip(sources, nodes, strict=True):
        called = {id(n.func) for n in ast.walk(node) if isinstance(n, ast.Call)}
        names = [n for n in ast.walk(node) if isinstance(n, ast.Name) and id(n) not in called]
        for name in sorted(names, key=lambda n: n.col_offset):
            if name.id not in _NAMED and name.id not in CONSTANTS:
                found.append(_coordinate(source, name))
    if not found:
        sources[0].refuse("no coordinate is named here, so say which ones there are, for example x, y")
    return tuple(dict.fromkeys(found))
