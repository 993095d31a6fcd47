"""Formulas that a person typed, read without ever running them as Python.

Text becomes Python's syntax tree, and a reader walks it: only numbers, names, + - * / **, parentheses and the functions
of one table pass. The same grammar builds two things: an :class:`Expression`, which is a function of tensors, and an
:class:`~apolar.algebras.operators.Operator`. Stands beside the command line; the engine does not know it.
"""

from apolar.expression.formula import Expression, parse, parse_number
from apolar.expression.operators import parse_operator, parse_operators

__all__ = ["Expression", "parse", "parse_number", "parse_operator", "parse_operators"]
