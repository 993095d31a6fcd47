"""Formulas as functions of tensors, and as SymPy sees them."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from apolar.errors import ExpressionError
from apolar.expression.functions import CONSTANTS, FUNCTIONS, SPELLINGS, TABLE, apply
from apolar.expression.reader import Reader, call_without_parentheses, guess, split_names
from apolar.expression.source import Source

if TYPE_CHECKING:
    import sympy
    from torch import Tensor


@dataclass(frozen=True)
class Number:
    """A number as it was typed, exactly."""

    value: Fraction


@dataclass(frozen=True)
class Name:
    """A variable."""

    name: str


@dataclass(frozen=True)
class Apply:
    """A function of the table, applied; ``constant`` is its value where no variable is inside."""

    function: str
    arguments: tuple[Tree, ...]
    constant: float | None = None


Tree = Number | Name | Apply


def _names(tree: Tree) -> Iterator[str]:
    if isinstance(tree, Name):
        yield tree.name
    elif isinstance(tree, Apply):
        for argument in tree.arguments:
            yield from _names(argument)


def _constant(tree: Tree) -> float | None:
    if isinstance(tree, Number):
        return float(tree.value)
    return tree.constant if isinstance(tree, Apply) else None


def _with_tensors(tree: Tree, values: dict[str, Tensor]) -> Any:
    """What the tree means for tensors; a part without variables is a Python number."""
    constant = _constant(tree)
    if constant is not None:
        return constant
    if isinstance(tree, Name):
        return values[tree.name]
    assert isinstance(tree, Apply)
    return apply(tree.function, [_with_tensors(argument, values) for argument in tree.arguments])


def _with_sympy(tree: Tree) -> sympy.Expr:
    """What the tree means for SymPy, with real symbols and exact numbers."""
    import sympy

    if isinstance(tree, Number):
        return sympy.Rational(tree.value.numerator, tree.value.denominator)
    if isinstance(tree, Name):
        return sympy.Symbol(tree.name, real=True)
    return TABLE[tree.function].sympy(*map(_with_sympy, tree.arguments))


@dataclass(frozen=True)
class Expression:
    """A typed formula: a function of tensors, one per variable, by position or by name.

    Attributes:
        text: as it was typed.
        variables: the names, in the order of the arguments.
        components: the formula, or the formulas of a vector such as ``"x*y, x+z"``.
        is_vector: whether the values get a last axis for the components.

    >>> f = parse("x^2 + sin(y)")
    >>> f(torch.tensor(3.0), y=torch.tensor(0.0))
    tensor(9.)
    """

    text: str
    variables: tuple[str, ...]
    components: tuple[Tree, ...] = field(repr=False)
    is_vector: bool = field(repr=False)

    def __call__(self, *arguments: Tensor, **named: Tensor) -> Tensor:
        import torch
        from torch import Tensor

        values = self._bind(arguments, named)
        results = [_with_tensors(tree, values) for tree in self.components]
        like = next((r for r in results if isinstance(r, Tensor)), next(iter(values.values()), torch.zeros(())))
        tensors = [r if isinstance(r, Tensor) else torch.full_like(like, r) for r in results]
        if not self.is_vector:
            return tensors[0]
        if len({t.shape for t in tensors}) > 1:
            tensors = list(torch.broadcast_tensors(*tensors))
        return torch.stack(tensors, dim=-1)

    def of_points(self, points: Tensor) -> Tensor:
        """The values at points ``(..., d)`` whose last axis holds the variables in their order."""
        return self(*points.unbind(-1))

    def symbolic(self) -> sympy.Expr | sympy.Matrix:
        """The formula as SymPy knows it; a vector is a matrix of one column.

        >>> parse("x^2 + y/2").symbolic()
        x**2 + y/2
        """
        import sympy

        formulas = [_with_sympy(tree) for tree in self.components]
        return sympy.Matrix(formulas) if self.is_vector else formulas[0]

    def _bind(self, arguments: Sequence[Tensor], named: dict[str, Tensor]) -> dict[str, Tensor]:
        free = [name for name in self.variables if name not in named]
        unknown = [name for name in named if name not in self.variables]
        if unknown or len(arguments) != len(free):
            given = [f"{len(arguments)} by position"] * bool(arguments) + list(named)
            raise ExpressionError(
                f"the expression {self.text!r} takes one value for each of ({', '.join(self.variables)}), "
                f"got {', '.join(given) or 'none'}"
            )
        return dict(zip(free, arguments, strict=True)) | named


def parse(text: str, variables: str | Sequence[str] | None = None, *, known: Collection[str] = ()) -> Expression:
    """Read a formula, or several separated by commas, as a function of its variables.

    Args:
        text: numbers, names, ``+ - * /``, ``**`` or ``^``, parentheses, ``pi``, ``e`` and ``FUNCTIONS``.
        variables: the names that may occur, in the order of the arguments; by default those that do, as they appear.
        known: names that are variables even where they look like a call without its parentheses, as ``sinx`` does.

    Raises:
        ExpressionError: with the place, and what would work.

    >>> parse("[x*y, x+z]").variables
    ('x', 'y', 'z')
    >>> parse("x*y, x+z")(*torch.tensor([2.0, 3.0, 4.0]))
    tensor([6., 6.])
    """
    source = Source(text)
    node = source.parse()
    given = None if variables is None else split_names(variables)
    reader = _ExpressionReader(source, given, known)
    is_vector = isinstance(node, (ast.Tuple, ast.List))
    parts = node.elts if isinstance(node, (ast.Tuple, ast.List)) else [node]
    if not parts:
        source.at(node, "this vector has no components")
    trees = tuple(reader.read(part) for part in parts)
    found = tuple(dict.fromkeys(name for tree in trees for name in _names(tree)))
    return Expression(source.typed, found if given is None else given, trees, is_vector)


def parse_number(text: str) -> float:
    """Read a number that may be written as a formula.

    >>> parse_number("pi/2")
    1.5707963267948966
    """
    expression = parse(text, variables=())
    if expression.is_vector:
        raise ExpressionError(f"one number is needed here, got {expression.text!r}")
    value = _constant(expression.components[0])
    assert value is not None
    return value


class _ExpressionReader(Reader[Tree]):
    """Builds trees."""

    def __init__(self, source: Source, variables: tuple[str, ...] | None, known: Collection[str]) -> None:
        super().__init__(source)
        self.variables = variables
        self.known = known

    def number(self, node: ast.expr, value: Fraction) -> Tree:
        return Number(value)

    def name(self, node: ast.Name) -> Tree:
        if self.variables is not None and node.id in self.variables:
            return Name(node.id)
        if node.id in CONSTANTS:
            return Apply(node.id, (), CONSTANTS[node.id].torch())
        if node.id in FUNCTIONS or node.id in SPELLINGS:
            self.source.at(node, f"{node.id} is a function and needs an argument: {node.id}(x)")
        call = call_without_parentheses(node.id)
        if call is not None and node.id not in self.known:
            self.source.at(node, f"{node.id} is no function and no variable; did you mean {call}?")
        if self.variables is not None:
            known = f"the variables are {', '.join(self.variables)}" if self.variables else "a number is needed here"
            self.source.at(node, f"there is no variable {node.id}" + (guess(node.id, self.variables) or f"; {known}"))
        return Name(node.id)

    def apply(self, node: ast.expr, function: str, arguments: list[Tree]) -> Tree:
        numbers = [c for a in arguments if (c := _constant(a)) is not None]
        value = self.value(node, function, numbers) if len(numbers) == len(arguments) else None
        return Apply(function, tuple(arguments), value)

    def constant(self, built: Tree) -> float | None:
        return _constant(built)
