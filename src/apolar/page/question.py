"""What is asked: a formula, a point, an order; read by the whitelist parser, within bounds, or refused in words."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import Tensor

from apolar.errors import ExpressionError
from apolar.expression import Expression, parse, parse_number
from apolar.expression.formula import Apply, Tree
from apolar.page.texts import text
from apolar.text.languages import Language

MAX_CHARACTERS = 300
MAX_OPERATIONS = 60
MAX_VARIABLES = 3
ORDERS = (1, 2, 3)
ZOOMS = range(-6, 11)

SPELLINGS = str.maketrans(
    "".join(chr(0xFF01 + k) for k in range(94)) + "、÷⋅∙∗–—", "".join(chr(0x21 + k) for k in range(94)) + ",/***--"
)
"""Full-width characters, and others that are typed for the signs of the formula language."""


@dataclass(frozen=True)
class Question:
    """What was typed and chosen on the page.

    Attributes:
        formula: as it was typed.
        at: the point, as it was typed.
        order: up to which the steps are shown.
        zoom: the plots show a piece that is 2ᶻᵒᵒᵐ times smaller than usual.
        lang: the language of the texts.
    """

    formula: str
    at: str
    order: int = 1
    zoom: int = 0
    lang: Language = "en"


class Refusal(Exception):
    """Why there is no answer, for the person who asked.

    Args:
        field: of the form, to which this belongs: "f" or "at"; empty for none.
        message: in the language of the page.
        detail: the message of the parser, which is in English; its first line, and lines that point to the place.
    """

    def __init__(self, field: str, message: str, detail: str = "") -> None:
        super().__init__(field, message, detail)
        self.field, self.message, self.detail = field, message, detail


@dataclass(frozen=True)
class Problem:
    """A function of one to three variables, and a point."""

    expression: Expression
    point: dict[str, float]

    @property
    def position(self) -> Tensor:
        """The point as a tensor."""
        return torch.tensor(list(self.point.values()), dtype=torch.float64)


def read(question: Question) -> Problem:
    """What the question means.

    Raises:
        Refusal: it cannot be read, or is more than the page takes.
    """
    expression = _formula(question)
    return Problem(expression, _point(question, expression.variables))


def _formula(question: Question) -> Expression:
    lang = question.lang
    typed = _typed(question, "f", question.formula)
    if not typed:
        raise Refusal("f", text("no_formula", lang))
    try:
        expression = parse(typed)
    except ExpressionError as error:
        raise Refusal("f", text("unreadable_formula", lang), str(error)) from error
    if expression.is_vector:
        raise Refusal("f", text("vector", lang))
    if not expression.variables:
        raise Refusal("f", text("no_variable", lang))
    if len(expression.variables) > MAX_VARIABLES:
        names = ", ".join(expression.variables)
        raise Refusal("f", text("many_variables", lang).format(names=names, most=MAX_VARIABLES))
    if (count := _operations(expression.components[0])) > MAX_OPERATIONS:
        raise Refusal("f", text("many_operations", lang).format(count=count, most=MAX_OPERATIONS))
    return expression


def _point(question: Question, variables: tuple[str, ...]) -> dict[str, float]:
    lang = question.lang
    typed = _typed(question, "at", question.at)
    example = ", ".join(f"{name}={k + 1}" for k, name in enumerate(variables))
    if not typed:
        raise Refusal("at", text("no_point", lang).format(example=example))
    if "=" not in typed and len(variables) == 1:
        typed = f"{variables[0]}={typed}"
    point: dict[str, float] = {}
    for part in re.split(r"[;,](?=[^;,=]*=)", typed):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not name.isidentifier():
            raise Refusal("at", text("unreadable_point", lang).format(part=part.strip(), example=example))
        if name not in variables:
            raise Refusal("at", text("unknown_name", lang).format(name=name, names=", ".join(variables)))
        if name in point:
            raise Refusal("at", text("repeated_name", lang).format(name=name))
        try:
            point[name] = parse_number(value)
        except ExpressionError as error:
            raise Refusal("at", text("unreadable_value", lang).format(name=name), str(error)) from error
    if missing := [name for name in variables if name not in point]:
        raise Refusal("at", text("missing_name", lang).format(names=", ".join(missing), example=example))
    return {name: point[name] for name in variables}


def _typed(question: Question, field: str, typed: str) -> str:
    """In the signs of the formula language."""
    if len(typed) > MAX_CHARACTERS:
        message = text("long_text", question.lang).format(count=len(typed), most=MAX_CHARACTERS)
        raise Refusal(field, message)
    return typed.translate(SPELLINGS).strip()


def _operations(tree: Tree) -> int:
    return 1 + sum(map(_operations, tree.arguments)) if isinstance(tree, Apply) else 0
