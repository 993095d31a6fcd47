"""Printed formulas read back: the plain text of a formula, with numbers for its names, as a number of mpmath."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import mpmath

SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹"

LETTERS = "0-9A-Za-z\u0304₀-₉"

ALIKE = (
    "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "exp",
    "expm1", "log", "sqrt", "erf", "erfc", "digamma", "polygamma", "sign", "pi", "e",
)  # fmt: skip

MEANINGS: dict[str, Any] = {
    **{name: getattr(mpmath, name) for name in ALIKE},
    "mpf": mpmath.mpf,
    "log2": lambda x: mpmath.log(x, 2),
    "log10": mpmath.log10,
    "log1p": lambda x: mpmath.log(1 + x),
    "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
    "abs": abs,
    "lgamma": lambda x: mpmath.log(abs(mpmath.gamma(x))),
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log(1 + mpmath.exp(x)),
    "relu": lambda x: max(x, mpmath.mpf(0)),
    "gelu": lambda x: x * (1 + mpmath.erf(x / mpmath.sqrt(2))) / 2,
    "silu": lambda x: x / (1 + mpmath.exp(-x)),
    "max": max,
    "min": min,
    "H": lambda x: (mpmath.sign(x) + 1) / 2,
}


def _exact(text: str) -> str:
    """Every number with all its digits, for mpmath."""
    return re.sub(r"(?<![\w.⟦])(\d+\.?\d*(?:e[+-]?\d+)?)(?![\w⟧])", r"mpf('\1')", text, flags=re.ASCII)


def typed(text: str) -> Callable[..., Any]:
    """A formula as a person types it, as a function of mpmath."""
    code = compile(_exact(text.replace("^", "**")), text, "eval")
    return lambda **values: eval(code, MEANINGS, values)


def read(text: str, values: Mapping[str, Any]) -> Any:
    """The number that a printed formula stands for."""
    names = sorted(values, key=len, reverse=True)
    for k, name in enumerate(names):
        text = re.sub(f"(?<![{LETTERS}∂]){re.escape(name)}(?![{LETTERS}′″‴⁽(])", f"⟦{k}⟧", text)
    text = re.sub(r"\|([^|]*)\|", r"abs(\1)", text)
    text = re.sub(r"\[([^\[\]]*)\]", r"mpf(int(\1))", _exact(text))
    text = re.sub(
        f"[{SUPERSCRIPTS}]+", lambda found: "**" + "".join(str(SUPERSCRIPTS.index(c)) for c in found[0]), text
    )
    text = re.sub(r"⟦(\d+)⟧", r"values[\1]", text).replace("·", "*").replace("^", "**").replace("π", "pi")
    return eval(text, MEANINGS, {"values": [values[name] for name in names]})
