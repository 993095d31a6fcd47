"""Functions of numbers that SymPy has no short word for, each with its derivative as PyTorch takes it."""

from __future__ import annotations

from typing import Any

import sympy
from sympy import Rational, exp, log


class Named(sympy.Function):
    """A function of one number with a name of its own."""

    nargs = (1,)
    sign: tuple[str, str]

    def _sympystr(self, printer: Any) -> str:
        return f"{self.sign[0]}({printer._print(self.args[0])})"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        power = f"^{{{exp}}}" if exp else ""
        return rf"{self.sign[1]}{power}\left({printer._print(self.args[0])}\right)"


class step(sympy.Function):
    """1 above 0, and 0 elsewhere."""

    nargs = (1,)

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return sympy.S.Zero

    def doit(self, **hints: Any) -> sympy.Expr:
        return sympy.Heaviside(self.args[0].doit(**hints), 0)

    def _sympystr(self, printer: Any) -> str:
        return f"[{printer._print(self.args[0])} > 0]"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        return rf"\left[{printer._print(self.args[0])} > 0\right]" + (f"^{{{exp}}}" if exp else "")


class constant_piece(Named):
    """What is constant between its jumps."""

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return sympy.S.Zero


class half_step(constant_piece):
    """1 above 0, 0 below, ½ at 0: how the larger of two equal numbers shares its derivative."""

    sign = ("H", "H")

    def doit(self, **hints: Any) -> sympy.Expr:
        return sympy.Heaviside(self.args[0].doit(**hints), Rational(1, 2))


class sign(constant_piece):
    """−1, 0 or 1."""

    sign = ("sign", r"\operatorname{sign}")

    def doit(self, **hints: Any) -> sympy.Expr:
        return sympy.sign(self.args[0].doit(**hints))


class floor(constant_piece):
    """The next whole number below."""

    sign = ("floor", r"\operatorname{floor}")

    def doit(self, **hints: Any) -> sympy.Expr:
        return sympy.floor(self.args[0].doit(**hints))


class ceil(constant_piece):
    """The next whole number above."""

    sign = ("ceil", r"\operatorname{ceil}")

    def doit(self, **hints: Any) -> sympy.Expr:
        return sympy.ceiling(self.args[0].doit(**hints))


class absolute(Named):
    """|x|, whose derivative at 0 is taken as 0."""

    sign = ("abs", r"\operatorname{abs}")

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return sign(self.args[0])

    def doit(self, **hints: Any) -> sympy.Expr:
        return sympy.Abs(self.args[0].doit(**hints))

    def _sympystr(self, printer: Any) -> str:
        return f"|{printer._print(self.args[0])}|"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        return rf"\left|{printer._print(self.args[0])}\right|" + (f"^{{{exp}}}" if exp else "")


class sigmoid(Named):
    """1/(1 + e⁻ˣ)."""

    sign = ("sigmoid", r"\sigma")

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return self * (1 - self)

    def doit(self, **hints: Any) -> sympy.Expr:
        return 1 / (1 + exp(-self.args[0].doit(**hints)))


class softplus(Named):
    """log(1 + eˣ)."""

    sign = ("softplus", r"\operatorname{softplus}")

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return sigmoid(self.args[0])

    def doit(self, **hints: Any) -> sympy.Expr:
        return log(1 + exp(self.args[0].doit(**hints)))


class relu(Named):
    """max(0, x)."""

    sign = ("relu", r"\operatorname{relu}")

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return step(self.args[0])

    def doit(self, **hints: Any) -> sympy.Expr:
        return sympy.Max(0, self.args[0].doit(**hints))


class Comparison(sympy.Function):
    """1 where it holds, and 0 elsewhere."""

    nargs = (2,)
    sign: tuple[str, str]
    relation: type[sympy.Rel]

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return sympy.S.Zero

    def doit(self, **hints: Any) -> sympy.Expr:
        return sympy.Piecewise((1, self.relation(*(a.doit(**hints) for a in self.args))), (0, True))

    def _sympystr(self, printer: Any) -> str:
        a, b = map(printer._print, self.args)
        return f"[{a} {self.sign[0]} {b}]"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        a, b = map(printer._print, self.args)
        return rf"\left[{a} {self.sign[1]} {b}\right]"


COMPARISONS = {
    name: type(name, (Comparison,), {"sign": sign, "relation": relation})
    for name, sign, relation in (
        ("gt", (">", ">"), sympy.Gt),
        ("ge", ("≥", r"\ge"), sympy.Ge),
        ("lt", ("<", "<"), sympy.Lt),
        ("le", ("≤", r"\le"), sympy.Le),
        ("eq", ("==", "="), sympy.Eq),
        ("ne", ("≠", r"\ne"), sympy.Ne),
    )
}
"""torch's name ↦ how it is written."""


class larger(sympy.Function):
    """The larger of two numbers."""

    nargs = (2,)
    word, choice = "max", sympy.Max

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        a, b = self.args
        return half_step(a - b if argindex == 1 else b - a)

    def doit(self, **hints: Any) -> sympy.Expr:
        return self.choice(*(a.doit(**hints) for a in self.args))

    def _sympystr(self, printer: Any) -> str:
        return f"{self.word}({', '.join(map(printer._print, self.args))})"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        inside = rf"\{self.word}\left({', '.join(map(printer._print, self.args))}\right)"
        return f"{inside}^{{{exp}}}" if exp else inside


class smaller(larger):
    """The smaller of two numbers."""

    word, choice = "min", sympy.Min

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        a, b = self.args
        return half_step(b - a if argindex == 1 else a - b)


def clamp(u: Any, min: Any = None, max: Any = None) -> sympy.Expr:
    """Between two numbers; torch gives the derivative 1 on both of them."""
    if any(isinstance(bound, sympy.Symbol) for bound in (min, max)):
        raise TypeError("bounds that are tensors have no formula here")
    return between(u, -sympy.oo if min is None else min, sympy.oo if max is None else max)


class between(sympy.Function):
    """x, kept between two numbers."""

    nargs = (3,)

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return inside(*self.args)

    def doit(self, **hints: Any) -> sympy.Expr:
        u, low, high = (a.doit(**hints) for a in self.args)
        return sympy.Min(sympy.Max(u, low), high)

    def _sympystr(self, printer: Any) -> str:
        return f"clamp({', '.join(map(printer._print, self.args))})"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        written = rf"\operatorname{{clamp}}\left({', '.join(map(printer._print, self.args))}\right)"
        return f"{written}^{{{exp}}}" if exp else written


class inside(between):
    """1 between two numbers and on them, 0 elsewhere."""

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return sympy.S.Zero

    def doit(self, **hints: Any) -> sympy.Expr:
        u, low, high = (a.doit(**hints) for a in self.args)
        return sympy.Piecewise((1, (u >= low) & (u <= high)), (0, True))

    def _sympystr(self, printer: Any) -> str:
        u, low, high = map(printer._print, self.args)
        return f"[{low} ≤ {u} ≤ {high}]"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        u, low, high = map(printer._print, self.args)
        return rf"\left[{low} \le {u} \le {high}\right]" + (f"^{{{exp}}}" if exp else "")


class where(sympy.Function):
    """One of two numbers, by a condition."""

    nargs = (3,)

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return where(self.args[0], int(argindex == 2), int(argindex == 3)) if argindex > 1 else sympy.S.Zero
