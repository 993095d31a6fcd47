"""The grammar: walks Python's syntax tree, lets only a whitelist pass, and leaves to its children what is built."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from fractions import Fraction
from typing import Generic, TypeVar

from apolar.expression.functions import CONSTANTS, FUNCTIONS, SPELLINGS, apply
from apolar.expression.source import Source

MAX_DEPTH = 200
MAX_DIGITS = 40
MAX_EXPONENT = 1000

MEANT = {
    "tg": "tan", "ctg": "1/tan", "cot": "1/tan", "sec": "1/cos", "csc": "1/sin", "arctg": "atan", "sh": "sinh", "ch": "cosh",
    "th": "tanh", "lg": "log10", "lb": "log2", "sgn": "sign", "gamma": "exp(lgamma(…))", "coth": "1/tanh", "sech": "1/cosh",
    "csch": "1/sinh",
}  # fmt: skip
"""Names of functions in other places, and what to write here."""

T = TypeVar("T")

_REFUSED = {
    ast.Attribute: "a dot between names has no meaning here",
    ast.Subscript: "indices are not part of a formula; give every component its own name, such as x1 and x2",
    ast.Compare: "comparisons are not part of a formula; use min, max, relu or sign",
    ast.BoolOp: "`and` and `or` are not part of a formula",
    ast.IfExp: "`if` is not part of a formula; use min, max, relu or sign",
    ast.Tuple: "a vector cannot stand inside a formula; only the whole text may be one, such as x*y, x+z",
    ast.List: "a vector cannot stand inside a formula; only the whole text may be one, such as x*y, x+z",
}

_BINARY: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}


class Reader(Generic[T]):
    """Walks the syntax tree, lets only the whitelist pass, and builds a ``T``."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def read(self, node: ast.expr, power: float = 1, depth: int = 0) -> T:
        """Build what the node says; ``power`` is the product of the exponents around it."""
        if depth > MAX_DEPTH:
            self.source.at(node, f"the formula is nested too deeply; at most {MAX_DEPTH} levels are read")
        match node:
            case ast.Constant():
                return self.number(node, self._exact(node))
            case ast.Name():
                return self.name(node)
            case ast.UnaryOp(op=ast.UAdd()):
                return self.read(node.operand, power, depth + 1)
            case ast.UnaryOp(op=ast.USub()):
                return self.apply(node, "negative", [self.read(node.operand, power, depth + 1)])
            case ast.BinOp() if type(node.op) in _BINARY:
                return self._application(node, _BINARY[type(node.op)], [node.left, node.right], power, depth)
            case ast.Call():
                return self._application(node, self._function(node), node.args, power, depth)
        self.source.at(node, _REFUSED.get(type(node), "this is not part of a formula"))

    def number(self, node: ast.expr, value: Fraction) -> T:
        """A number that was typed."""
        raise NotImplementedError

    def name(self, node: ast.Name) -> T:
        """A name that is not called."""
        raise NotImplementedError

    def apply(self, node: ast.expr, function: str, arguments: list[T]) -> T:
        """A function of the table, applied."""
        raise NotImplementedError

    def constant(self, built: T) -> float | None:
        """The value, where it is the same everywhere."""
        raise NotImplementedError

    def value(self, node: ast.expr, function: str, arguments: list[float]) -> float:
        """The value of a part without variables, which must be an ordinary real number."""
        try:
            value = apply(function, arguments)
        except ZeroDivisionError:
            self.source.at(node, "this divides by 0")
        except OverflowError:
            value = math.inf
        if isinstance(value, complex) or not math.isfinite(value):
            self.source.at(node, "this is not a finite real number")
        return float(value)

    def _application(self, node: ast.expr, function: str, arguments: list[ast.expr], power: float, depth: int) -> T:
        if function in ("**", "pow"):
            self._refuse_power_of_a_name(node, *arguments)
            exponent = self.read(arguments[1], power, depth + 1)
            power *= max(abs(self.constant(exponent) or 1), 1)
            if power > MAX_EXPONENT:
                self.source.at(arguments[1], f"this exponent is too large; at most {MAX_EXPONENT} in all")
            return self.apply(node, "**", [self.read(arguments[0], power, depth + 1), exponent])
        return self.apply(node, function, [self.read(a, power, depth + 1) for a in arguments])

    def _refuse_power_of_a_name(self, node: ast.expr, base: ast.expr, exponent: ast.expr) -> None:
        """sin^2(x), which is read as sin to the power 2(x)."""
        called = isinstance(exponent, ast.Call) and isinstance(exponent.func, ast.Constant)
        if called and isinstance(base, ast.Name) and (base.id in FUNCTIONS or base.id in SPELLINGS):
            assert isinstance(exponent, ast.Call)
            argument = ", ".join(map(self.source.literal, exponent.args))
            power = self.source.literal(exponent.func)
            self.source.at(node, f"a power stands behind the argument: write {base.id}({argument})^{power}")

    def _exact(self, node: ast.Constant) -> Fraction:
        text = self.source.literal(node)
        number = re.fullmatch(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?0*(\d+))?", text)
        if not number:
            self.source.at(node, f"{text} is not a number as it is written here, such as 3, 0.25 or 1e-3")
        if len(text) > MAX_DIGITS:
            self.source.at(node, f"this number has more than {MAX_DIGITS} digits")
        value = Fraction(text) if len(number[1] or "") <= 3 else Fraction(0)
        if len(number[1] or "") > 3 or (value and not 1e-300 < value < 1e300):
            self.source.at(node, "this number is out of the range of floating point")
        return value

    def _function(self, node: ast.Call) -> str:
        typed = self.source.literal(node.func)
        if not isinstance(node.func, ast.Name):
            factor = typed if isinstance(node.func, ast.Constant) else f"({typed})"
            self.source.at(node, f"a product needs its sign: write {factor}*(…)")
        name = SPELLINGS.get(node.func.id, node.func.id)
        if name not in FUNCTIONS:
            self.source.at(node.func, f"there is no function {typed}{self._hint(typed)}")
        if node.keywords or any(isinstance(a, ast.Starred) for a in node.args):
            self.source.at(node, f"the arguments of {typed} are formulas, separated by commas")
        least, most = FUNCTIONS[name].arguments
        if not least <= len(node.args) <= most:
            wanted = f"{least} argument{'s' * (least != 1)}" + " or more" * (most > least)
            self.source.at(node, f"{typed} takes {wanted}, got {len(node.args)}")
        return name

    def _hint(self, typed: str) -> str:
        if product := _PRODUCT.fullmatch(typed):
            return f"; did you mean {product['factor']}*{product['function']}(…)?"
        close = guess(typed, [*FUNCTIONS, *SPELLINGS])
        if close:
            return close
        if typed in MEANT:
            return f"; did you mean {MEANT[typed]}?"
        if typed in CONSTANTS or len(typed) <= 2:
            return f"; if {typed} is a factor, write {typed}*(…)"
        return f"; there are {', '.join(sorted([*FUNCTIONS, *SPELLINGS]))}"


def call_without_parentheses(name: str) -> str | None:
    """The call that a name was probably meant to be.

    >>> call_without_parentheses("sinx"), call_without_parentheses("cos2t"), call_without_parentheses("signal")
    ('sin(x)', 'cos(2*t)', None)
    """
    found = _CALL.fullmatch(name)
    if found is None or name in FUNCTIONS or name in SPELLINGS:
        return None
    factor, argument = found["factor"], found["argument"]
    return f"{found['function']}({factor}{'*' * bool(factor)}{argument})"


_WORDS = "|".join(sorted([*FUNCTIONS, *SPELLINGS], key=len, reverse=True))
_GREEK = "alpha|beta|gamma|delta|eps|epsilon|theta|phi|psi|omega|lambda|mu|nu|rho|sigma|tau|xi|pi"
_CALL = re.compile(rf"(?P<function>{_WORDS})(?P<factor>\d*)(?P<argument>[a-zA-Zα-ω]\d*|{_GREEK})")

_PRODUCT = re.compile(rf"(?P<factor>[xyzt]|pi)(?P<function>{_WORDS})")


def guess(typed: str, known: Iterable[str]) -> str:
    """The end of a message: what was probably meant, if anything is close."""
    close = get_close_matches(typed, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def split_names(names: str | Sequence[str]) -> tuple[str, ...]:
    """Names separated by blanks or commas, or already separate."""
    return tuple(names.replace(",", " ").split() if isinstance(names, str) else names)
