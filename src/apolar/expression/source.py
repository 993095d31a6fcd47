"""The typed text in Python's spelling, and errors that point to the place where something was typed."""

from __future__ import annotations

import ast
import re
import warnings
from typing import NoReturn

from apolar.errors import ExpressionError
from apolar.expression.functions import FUNCTIONS, SPELLINGS

MAX_CHARACTERS = 4000
MAX_NODES = 1500

_CHARACTERS = {"^": "**", "·": "*", "×": "*", "−": "-", "π": "pi", "∂": "d"}
_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789", strict=True))
_ALLOWED = re.compile(r"[\w .,+\-*/^()\[\]·×−∂]")
_MEANINGLESS = {
    "=": "give only the right-hand side of an equation",
    "|": "the absolute value is written abs(x)",
    "!": "the factorial of n is written exp(lgamma(n + 1))",
    "%": "there is no remainder here",
    "{": "use ( and )",
    "}": "use ( and )",
    ";": "separate the components of a vector by commas",
    "<": "comparisons are not part of a formula; use min, max, relu or sign",
    ">": "comparisons are not part of a formula; use min, max, relu or sign",
}


class Source:
    """The text in Python's spelling, and where each character of it was typed."""

    def __init__(self, text: str) -> None:
        self.typed = re.sub(r"\s", " ", text.strip())
        if not self.typed:
            raise ExpressionError('there is nothing to read; type a formula such as "x**2 + sin(y)"')
        if len(self.typed) > MAX_CHARACTERS:
            raise ExpressionError(f"the text has {len(self.typed)} characters; at most {MAX_CHARACTERS} are read")
        self.python, self.origin = "", []
        for place, character in enumerate(self.typed):
            for translated in self._translate(place, character):
                self.python += translated
                self.origin.append(place)

    def _translate(self, place: int, character: str) -> str:
        before = self.typed[:place].rstrip()[-1:]
        if character in _SUPERSCRIPTS:
            continues = self.typed[place - 1 : place] in _SUPERSCRIPTS
            return _SUPERSCRIPTS[character] if continues else "**" + _SUPERSCRIPTS[character]
        if character == "∂" and (before.isalnum() or before in (*_SUPERSCRIPTS, ")")):
            return "*d"  # as operators are printed: 2 ∂x²∂y
        if not _ALLOWED.fullmatch(character):
            hint = _MEANINGLESS.get(character)
            self.refuse(f"{character!r} has no meaning here{f'; {hint}' if hint else ''}", place)
        return _CHARACTERS.get(character, character)

    def parse(self) -> ast.expr:
        """Python's syntax tree of the text. Nothing is compiled and nothing runs."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(self.python, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            self._refuse_syntax(error)
        if sum(1 for _ in ast.walk(tree)) > MAX_NODES:
            self.refuse(f"the formula has too many parts; at most {MAX_NODES} are read")
        return tree

    def literal(self, node: ast.expr) -> str:
        """The text of a node, in Python's spelling."""
        encoded = self.python.encode()
        return encoded[node.col_offset : node.end_col_offset].decode()

    def at(self, node: ast.expr, message: str) -> NoReturn:
        """Refuse the text because of one node."""
        start, end = self._span(node)
        self.refuse(message, start, end)

    def refuse(self, message: str, start: int | None = None, end: int | None = None) -> NoReturn:
        """Raise the error, with carets under the place."""
        if start is None:
            raise ExpressionError(f"{message}\n  {self.typed[:60]}{'…' * (len(self.typed) > 60)}")
        first, last = max(0, start - 60), max(start + 1, end or 0)
        shown = self.typed[first : last + 60]
        raise ExpressionError(f"{message}\n  {shown}\n  {' ' * (start - first)}{'^' * (last - start)}")

    def _span(self, node: ast.expr) -> tuple[int, int]:
        encoded = self.python.encode()
        start = len(encoded[: node.col_offset].decode())
        end = len(encoded[: node.end_col_offset].decode())
        return self.origin[start], self.origin[end - 1] + 1

    def _refuse_syntax(self, error: Exception) -> NoReturn:
        for pattern, hint in _COMMON_SLIPS:
            if slip := re.search(pattern, self.typed):
                left, right = slip.group("left"), slip.group("right")
                call = left in FUNCTIONS or left in SPELLINGS
                fix = f"{left}({right})" if call else f"{left}*{right}{'…' * (right == '(')}"
                self.refuse(f"{hint}: write {fix}", slip.start("left"), slip.end("right"))
        if not isinstance(error, SyntaxError):
            self.refuse("the formula is nested too deeply or has a number that is too long")
        place = min(max((error.offset or 1) - 1, 0), len(self.origin) - 1)
        self.refuse(f"this is not a formula: {error.msg}", self.origin[place])


_WORD = r"[^\W\d]\w*"
_COMMON_SLIPS = [
    (rf"(?<![\w.])(?P<left>\d+\.?\d*)\s*(?P<right>(?![eE][+-]?\d){_WORD}|\()", "a product needs its sign"),
    (rf"(?<!\w)(?P<left>{_WORD})\s+(?P<right>{_WORD}|\d+\.?\d*)", "something is missing between these two"),
    (rf"(?P<left>\))\s*(?P<right>{_WORD}|\d+\.?\d*)", "a product needs its sign"),
]
