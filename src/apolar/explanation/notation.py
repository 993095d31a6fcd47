"""How formulas, names and numbers are written: in plain text and in LaTeX, from one source.

A ``Formula`` is both spellings. Formulas of numbers come from SymPy's expressions; those of tensors are built by the
operators of ``Term``, so that the same Python function says what is computed and how it reads.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy
from sympy.printing.latex import LatexPrinter
from sympy.printing.precedence import PRECEDENCE, precedence
from sympy.printing.str import StrPrinter
from torch import Tensor

from apolar.algebras.operators import SUPERSCRIPTS

DECIMALS = 6
ENTRIES = {1: 4, 2: 4, 3: 3}
"""So many entries stand along each axis of a value with so many axes, and 2 where there are more; others are left out."""

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass(frozen=True)
class Formula:
    """Something mathematical in two spellings."""

    plain: str
    latex: str

    def __str__(self) -> str:
        return self.plain


def named(text: str, index: int | None = None) -> Formula:
    """A variable: Greek letters by their names, an index, or a trailing number, below.

    >>> named("theta1"), named("v", 12)
    (Formula(plain='theta₁', latex='\\\\theta_{1}'), Formula(plain='v₁₂', latex='v_{12}'))
    """
    stem = text.rstrip("0123456789")
    stem = text if stem.endswith("_") else stem
    digits = text[len(stem) :] if index is None else str(index)
    if not stem or (index is not None and stem != text):
        stem, digits = text, ""
    letters = sympy.latex(sympy.Symbol(stem)) if stem.isalpha() else rf"\mathrm{{{stem.replace('_', chr(92) + '_')}}}"
    if stem.isalpha() and len(stem) > 1 and not letters.startswith("\\"):
        letters = rf"\mathrm{{{letters}}}"
    return Formula(stem + digits.translate(SUBSCRIPTS), f"{letters}_{{{digits}}}" if digits else letters)


def adjoint(name: Formula) -> Formula:
    """v̄: the derivative of the result by v."""
    stem, below, index = name.latex.partition("_{")
    return Formula(name.plain[0] + "\u0304" + name.plain[1:], rf"\bar{{{stem}}}{below}{index}")


def primes(order: int) -> Formula:
    """What stands behind the name of a function of one variable: f″, f⁽⁴⁾."""
    if order < 4:
        return Formula(("", "′", "″", "‴")[order], r" ".join([r"\prime"] * order))
    return Formula(f"⁽{str(order).translate(SUPERSCRIPTS)}⁾", f"({order})")


# -------------------------------------------------------------------------------------------------------------- numbers


def number(value: float) -> str:
    """A number with six decimals, or as it is where it has fewer; very large and small ones by powers of ten.

    >>> [number(x) for x in (0.25, 1.0, -0.24740395925452294, -1.46371968, 0.1 + 0.2, 1.5e-7, 3e10)]
    ['0.25', '1', '-0.247404', '-1.463720', '0.300000', '1.5e-07', '3e+10']
    """
    if not math.isfinite(value):
        return str(value)
    if value == 0 or 1e-4 <= abs(value) < 1e7:
        short, exact = f"{value + 0.0:.{DECIMALS}f}", f"{value + 0.0:.15g}"
    else:
        short, exact = f"{value:.{DECIMALS}e}", f"{value:g}"
    return exact if float(exact) == value and len(exact) <= len(short) else short


def quantity(value: float) -> Formula:
    """A number as a formula."""
    text = number(value)
    mantissa, e, exponent = text.partition("e")
    power = rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if e else text
    special = {"inf": r"\infty", "-inf": r"-\infty", "nan": r"\mathrm{NaN}"}
    latex = special.get(text, power)
    return Formula(text, f"{{{latex}}}" if text.startswith("-") else latex)


def array(value: Tensor) -> Formula:
    """A number, or a bracket of numbers; along a long axis only the first and the last ones."""
    return _array(value, ENTRIES.get(value.ndim, 2))


def _array(value: Tensor, most: int) -> Formula:
    if value.ndim == 0:
        return quantity(float(value))
    entries = _ends([_array(entry, most) for entry in value[_few(len(value), most)]], len(value), r"\cdots", most)
    plain = f"[{', '.join(entry.plain for entry in entries)}]"
    if value.ndim == 2:
        rows = [Formula("", _row(row, most)) for row in value[_few(len(value), most)]]
        inside = r" \\ ".join(row.latex for row in _ends(rows, len(value), r"\vdots", most))
    else:
        inside = " & ".join(entry.latex for entry in entries)
    return Formula(plain, rf"\left[ \begin{{matrix}} {inside} \end{{matrix}} \right]")


def _few(length: int, most: int) -> list[int]:
    return list(range(length)) if length <= most else [*range(most - 2 or 1), length - 1]


def _ends(parts: list[Formula], length: int, dots: str, most: int) -> list[Formula]:
    return parts if length <= most else [*parts[:-1], Formula("…", dots), parts[-1]]


def _row(row: Tensor, most: int) -> str:
    entries = [_array(entry, most) for entry in row[_few(len(row), most)]]
    return " & ".join(entry.latex for entry in _ends(entries, len(row), r"\cdots", most))


def _power_base(value: Tensor) -> Formula:
    """A value as it stands below an exponent: one with a power of ten in parentheses too."""
    written = factor(value)
    if "e" in written.plain and not written.plain.startswith("("):
        return Formula(f"({written.plain})", rf"\left({written.latex}\right)")
    return written


def factor(value: Tensor) -> Formula:
    """A value as it stands in a product: a negative number in parentheses."""
    written = array(value)
    if value.ndim == 0 and written.plain.startswith("-"):
        return Formula(f"({written.plain})", rf"\left({written.latex}\right)")
    return written


def exact(value: Any) -> sympy.Expr:
    """A Python number for SymPy: whole numbers, simple fractions, π and e stay exact."""
    if isinstance(value, bool | int):
        return sympy.Integer(int(value))
    if value in (math.pi, math.e):
        return sympy.pi if value == math.pi else sympy.E
    if not math.isfinite(value):
        return sympy.Float(value)
    simple = Fraction(value).limit_denominator(100)
    return sympy.Rational(*simple.as_integer_ratio()) if float(simple) == value else sympy.Float(value)


# ------------------------------------------------------------------------------------------------- formulas of numbers


class _PositiveFirst:
    """A sum does not begin with a minus sign if it need not: y - x."""

    def _as_ordered_terms(self, expression: sympy.Expr, order: Any = None) -> list[sympy.Expr]:
        terms = list(super()._as_ordered_terms(expression, order=order))  # type: ignore[misc]
        positive = next((k for k, term in enumerate(terms) if not term.could_extract_minus_sign()), 0)
        return [terms[positive], *terms[:positive], *terms[positive + 1 :]]


class _Plain(_PositiveFirst, StrPrinter):
    """x², 2·x, sin(v₁)."""

    def __init__(self, names: Mapping[sympy.Symbol, Formula]) -> None:
        super().__init__()
        self.names = names

    def _print_Symbol(self, symbol: sympy.Symbol) -> str:
        return self.names[symbol].plain if symbol in self.names else str(symbol.name)

    _print_Dummy = _print_Symbol

    def _print_Mul(self, product: sympy.Mul) -> str:
        return str(super()._print_Mul(product)).replace("*", "·")

    def _print_Pow(self, power: sympy.Pow, rational: bool = False) -> str:
        base, exponent = power.as_base_exp()
        if exponent == sympy.Rational(1, 2):
            return f"sqrt({self._print(base)})"
        if exponent.is_Rational and exponent < 0:
            return f"1/{self.parenthesize(base**-exponent, PRECEDENCE['Mul'] + 1)}"
        below = self.parenthesize(base, PRECEDENCE["Pow"] + 1)
        if below[-1] in "′″‴⁾" or (" " in below and below[0] != "(" and not below.endswith(")")):
            below = f"({below})"
        if exponent.is_Integer:
            return below + str(exponent).translate(SUPERSCRIPTS)
        return f"{below}^{self.parenthesize(exponent, PRECEDENCE['Pow'] + 1)}"

    def _print_Exp1(self, e: sympy.Expr) -> str:
        return "e"

    def _print_Pi(self, pi: sympy.Expr) -> str:
        return "π"

    def _print_Abs(self, expression: sympy.Abs) -> str:
        return f"|{self._print(expression.args[0])}|"

    def _print_Float(self, value: sympy.Float) -> str:
        return f"{float(value):.15g}"

    def _print_Infinity(self, infinity: sympy.Expr) -> str:
        return "∞"

    def _print_NegativeInfinity(self, infinity: sympy.Expr) -> str:
        return "-∞"

    def _print_Max(self, largest: sympy.Max) -> str:
        return f"max({', '.join(map(self._print, largest.args))})"

    def _print_Min(self, smallest: sympy.Min) -> str:
        return f"min({', '.join(map(self._print, smallest.args))})"

    def _print_loggamma(self, found: sympy.loggamma) -> str:
        return f"lgamma({self._print(found.args[0])})"

    def _print_polygamma(self, found: sympy.polygamma) -> str:
        order, u = found.args
        return f"digamma({self._print(u)})" if order == 0 else f"polygamma({self._print(order)}, {self._print(u)})"

    def _print_Heaviside(self, step: sympy.Heaviside) -> str:
        return f"H({self._print(step.args[0])})"

    def _print_Piecewise(self, pieces: sympy.Piecewise) -> str:
        (there, condition), (elsewhere, _) = pieces.args
        return f"({self._print(there)} if {self._print(condition)} else {self._print(elsewhere)})"


class _Latex(_PositiveFirst, LatexPrinter):
    def _print_Float(self, value: sympy.Float) -> str:
        mantissa, e, exponent = f"{float(value):.15g}".partition("e")
        return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if e else mantissa


def written(expression: sympy.Expr, names: Mapping[sympy.Symbol, Formula], times: str = "") -> Formula:
    """An expression with its symbols under their names; ``times`` is SymPy's word for the sign of a product in LaTeX."""
    latex = _Latex({"symbol_names": {s: name.latex for s, name in names.items()}, "mul_symbol": times or None})
    decimal = {r: sympy.Float(r) for r in expression.atoms(sympy.Rational) if _is_decimal(r)}
    expression = expression.xreplace(decimal)
    return Formula(_Plain(names).doprint(expression), latex.doprint(expression))


def _is_decimal(fraction: sympy.Rational) -> bool:
    """Whether it reads better as 0.1 than as 1/10: halves, quarters and thirds do not."""
    return bool(fraction.q >= 5 and 10**DECIMALS % fraction.q == 0)


def in_numbers(expression: sympy.Expr, values: Mapping[sympy.Symbol, Tensor]) -> Formula:
    """An expression in which numbers stand for its symbols; around one in parentheses, no second ones."""
    formula = written(expression, {symbol: _power_base(value) for symbol, value in values.items()}, "dot")
    latex = re.sub(LONELY.latex, r"\1\2", formula.latex)
    return Formula(
        re.sub(LONELY.plain, r"\1\2", formula.plain),
        re.sub(r"\{\\left\((\{-[^()]*\})\\right\)\}(?!\^)", r"{\1}", latex),
    )


LONELY = Formula(
    r"(^|[(|]|, )\((-?[\d.e+-]+|-inf)\)(?=[)|,]| [+-] |$)",
    r"(^|\\left\(|\\left\||, |,)\\left\(([^()]*?)\\right\)(?=\s*\\right|,| [+-] |$)",
)
"""Numbers in parentheses that stand where they need none."""


def parenthesized(expression: sympy.Expr, names: Mapping[sympy.Symbol, Formula]) -> Formula:
    """An expression as it stands behind a factor: in parentheses if it is a sum or begins with a minus sign."""
    text = written(expression, names)
    if precedence(expression) < PRECEDENCE["Mul"] or text.plain.startswith("-"):
        return Formula(f"({text.plain})", rf"\left({{{text.latex}}}\right)")
    return Formula(f"({text.plain})", text.latex) if text.plain.startswith("1/") else text


# ------------------------------------------------------------------------------------------------- formulas of tensors

SUM, PRODUCT, ATOM = range(3)


@dataclass(frozen=True)
class Term:
    """A tensor in a formula; ``@`` is the matrix product, ``*`` that of the entries."""

    plain: str
    latex: str
    level: int = ATOM

    @classmethod
    def of(cls, x: Any) -> Term:
        """A name or a number as a term."""
        if isinstance(x, Term):
            return x
        name = x if isinstance(x, Formula) else quantity(float(x))
        return cls(name.plain, name.latex)

    def formula(self) -> Formula:
        """Both spellings."""
        return Formula(self.plain, self.latex)

    def _inside(self, level: int) -> Term:
        if self.level >= level:
            return self
        return Term(f"({self.plain})", rf"\left({self.latex}\right)")

    def _with(self, other: Any, signs: tuple[str, str], level: int) -> Term:
        a, b = self._inside(level), Term.of(other)._inside(level + (signs[0] in (" - ", "·")))
        return Term(f"{a.plain}{signs[0]}{b.plain}", f"{a.latex} {signs[1]} {b.latex}", level)

    def __matmul__(self, other: Any) -> Term:
        a, b = self._inside(PRODUCT), Term.of(other)._inside(PRODUCT)
        return Term(f"{a.plain}·{b.plain}", rf"{a.latex} \, {b.latex}", PRODUCT)

    def __mul__(self, other: Any) -> Term:
        signs = (" ⊙ ", r"\odot") if isinstance(other, Term) else ("·", r"\cdot")
        return self._with(other, signs, PRODUCT)

    def __rmul__(self, other: float) -> Term:
        return Term.of(other) @ self

    def __truediv__(self, other: Any) -> Term:
        a, b = self._inside(PRODUCT), Term.of(other)
        return Term(f"{a.plain}/{b._inside(ATOM).plain}", rf"\frac{{{self.latex}}}{{{b.latex}}}", PRODUCT)

    def __add__(self, other: Any) -> Term:
        return self._with(other, (" + ", "+"), SUM)

    def __sub__(self, other: Any) -> Term:
        return self._with(other, (" - ", "-"), SUM)

    @property
    def mT(self) -> Term:
        """The transpose."""
        a = self._inside(ATOM)
        return Term(f"{a.plain}ᵀ", rf"{{{a.latex}}}^{{\top}}")

    def outer(self, other: Any) -> Term:
        """Every entry of the one times every entry of the other."""
        return self @ Term.of(other).mT

    def exp(self) -> Term:
        """e to this power."""
        return Term(f"exp({self.plain})", rf"\exp\left({self.latex}\right)")

    def reshape(self, shape: Any) -> Term:
        """The same entries in another shape."""
        return Term.of(applied("reshape", [Term.of(self).formula(), Formula(str(tuple(shape)), str(tuple(shape)))]))

    def inverse(self) -> Term:
        """The inverse matrix."""
        a = self._inside(ATOM)
        return Term(f"{a.plain}⁻¹", rf"{{{a.latex}}}^{{-1}}", PRODUCT)

    def __neg__(self) -> Term:
        a = self._inside(PRODUCT)
        return Term(f"-{a.plain}", f"-{a.latex}", SUM)

    def sum(self, *axes: Any, keepdim: bool = False) -> Term:
        """The sum of the entries."""
        return Term(f"Σ({self.plain})", rf"\sum\left({self.latex}\right)")


def applied(function: str, arguments: Sequence[Formula]) -> Formula:
    """A function by its name: reshape(v₁, (2, 3))."""
    inside_plain = ", ".join(argument.plain for argument in arguments)
    inside_latex = ", ".join(argument.latex for argument in arguments)
    name = function.replace("_", r"\_")
    return Formula(f"{function}({inside_plain})", rf"\operatorname{{{name}}}\left({inside_latex}\right)")


def indexed(function: str, arguments: Sequence[Formula]) -> Formula:
    """Entries of a tensor: v₁[0, 1:]."""
    whole, place = arguments
    plain = place.plain[1:-1] if place.plain.startswith("(") else place.plain
    latex = place.latex.removeprefix(r"\left(").removesuffix(r"\right)")
    return Formula(f"{whole.plain}[{plain}]", rf"{whole.latex}\left[{latex}\right]")
