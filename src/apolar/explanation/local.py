"""One operation at a time: its formula, and for each operand the local derivative, as formula and as number.

The formulas come from the tables; the numbers from PyTorch's derivative of this one operation, so that the two are
independent of each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy
import torch
from torch import Tensor

from apolar.engine.torch_private import tree_map
from apolar.errors import UnsupportedOperator
from apolar.explanation.elementary import ELEMENTARY
from apolar.explanation.notation import (
    Formula,
    Term,
    adjoint,
    applied,
    exact,
    indexed,
    parenthesized,
    quantity,
    written,
)
from apolar.explanation.tape import Node, solid
from apolar.explanation.tensors import TENSORS, Rule
from apolar.text.languages import mark

GENERAL = mark("the vector–Jacobian product of {function}")


@dataclass(frozen=True)
class Operation:
    """What is known about one node of the kind "operation"."""

    node: Node

    @cached_property
    def symbols(self) -> tuple[sympy.Symbol, ...]:
        """One for each operand, in their order."""
        return tuple(sympy.Symbol(f"u{k:03}", real=True) for k in range(len(self.node.operands)))

    @cached_property
    def names(self) -> dict[sympy.Symbol, Formula]:
        """What the symbols are called."""
        return {symbol: operand.name for symbol, operand in zip(self.symbols, self.node.operands)}

    @cached_property
    def expression(self) -> sympy.Expr | None:
        """The operation as an expression in its symbols; None where it is not computed entry by entry."""
        if self.node.label not in ELEMENTARY or self.node.pick is not None:
            return None
        args, kwargs = self.node.arguments(self.symbols)
        try:
            args, kwargs = tree_map(_for_sympy, (args, kwargs))
            return sympy.sympify(ELEMENTARY[self.node.label](*args, **kwargs))
        except (TypeError, ValueError, AttributeError):
            return None

    @property
    def rule(self) -> Rule:
        """How the function reads as one of tensors."""
        return TENSORS.get(self.node.label, Rule(computes=lambda node: False))

    @cached_property
    def formula(self) -> Formula:
        """What is computed."""
        if self.expression is not None:
            return written(self.expression, self.names)
        terms = [Term.of(operand.name) for operand in self.node.operands]
        if self.rule.value is not None:
            return self.rule.value(terms, self.node).formula()
        return (indexed if self.node.label == "getitem" else applied)(self.label, self._arguments())

    @property
    def label(self) -> str:
        """The name of the function, with the result that is meant where there are several."""
        return self.node.label if self.node.pick is None else f"{self.node.label}[{self.node.pick}]"

    def _arguments(self) -> list[Formula]:
        args, kwargs = self.node.arguments([operand.name for operand in self.node.operands])
        shown = [_argument(argument) for argument in args]
        for name, argument in kwargs.items():
            if argument is not None and not name.startswith("_"):
                value = _argument(argument)
                shown.append(Formula(f"{name}={value.plain}", rf"\mathrm{{{name}}}={value.latex}".replace("_", r"\_")))
        return shown

    # ---------------------------------------------------------------------------------------------- by one operand

    def derivative(self, position: int) -> sympy.Expr | None:
        """The local derivative as an expression; None where the operation is not computed entry by entry."""
        if self.expression is None:
            return None
        found = sympy.diff(self.expression, self.symbols[position])
        return sympy.powsimp(found) if self.expression.is_Pow else found  # y xʸ⁻¹, not y xʸ/x

    def local(self, position: int) -> Tensor | None:
        """The local derivative as numbers, one for each entry of the result; NaN where the result is.

        PyTorch's formula for log x has the value -1 at x = -1, where there is no logarithm.
        """
        if self.expression is None:
            return None
        shape = self.node.value.shape
        operands = [operand.value.expand(shape).clone() for operand in self.node.operands]
        slope = _derivative(self.node.call, operands, position, torch.ones_like(self.node.value))
        return slope.masked_fill(self.node.value.isnan(), math.nan)

    def contribution(self, position: int, upstream: Tensor) -> Tensor:
        """What the gradient of the result adds to that of an operand."""
        operand = self.node.operands[position]
        slope = self.local(position)
        if slope is not None:
            unused = self.node.value.isnan() & (upstream == 0)  # by a branch of `where` that is not taken
            share = (upstream * slope).masked_fill(unused, 0)
            return share.sum_to_size(operand.value.shape).to(operand.value.dtype)
        values = [other.value for other in self.node.operands]
        return _derivative(self.node.call, values, position, upstream)

    def product(self, position: int) -> Formula:
        """The contribution as a formula: v̄₂·cos(v₁), or ḡ·Wᵀ."""
        upstream = adjoint(self.node.name)
        derivative = self.derivative(position)
        if derivative is not None:
            behind = parenthesized(derivative, self.names)
            return Formula(f"{upstream.plain}·{behind.plain}", rf"{upstream.latex} \cdot {behind.latex}")
        terms = [Term.of(operand.name) for operand in self.node.operands]
        if self.rule.pullbacks:
            term = self.rule.pullbacks[position](Term.of(upstream), Term.of(self.node.name), terms, self.node)
            if term is not None:
                return Term.of(term).formula()
        name = self.label.replace("_", r"\_")
        return Formula(
            f"Jᵀ({self.label})·{upstream.plain}", rf"J_{{\operatorname{{{name}}}}}^{{\top}} \, {upstream.latex}"
        )

    def words(self, position: int) -> str:
        """What happens to the gradient on its way to an operand, as a marked text; empty where the formula says it."""
        if self.expression is not None:
            return ""
        words = self.rule.words
        if not isinstance(words, str):
            return words[position] if position < len(words) else GENERAL
        return words or ("" if self.rule.pullbacks else GENERAL)


def _derivative(
    call: Callable[[Sequence[Any]], Tensor], operands: Sequence[Tensor], position: int, upstream: Tensor
) -> Tensor:
    """The vector–Jacobian product of one operation, by one operand."""
    leaves = [operand.detach() for operand in operands]
    leaves[position] = leaves[position].requires_grad_()
    with torch.enable_grad():
        return solid(pulled_back(call(leaves), leaves[position], upstream)).detach()


def pulled_back(result: Tensor, operand: Tensor, upstream: Tensor, create_graph: bool = False) -> Tensor:
    """The vector–Jacobian product of a result that was just computed.

    Raises:
        UnsupportedOperator: PyTorch has none.
    """
    if not result.requires_grad:
        return torch.zeros_like(operand)
    try:
        (found,) = torch.autograd.grad(result, operand, upstream, create_graph=create_graph, materialize_grads=True)
    except RuntimeError as error:
        raise UnsupportedOperator(
            f"PyTorch cannot differentiate the function as often as that ({str(error).rstrip('.')}): ask for a lower order, "
            "or write it in other operations"
        ) from error
    return found


def _for_sympy(argument: Any) -> Any:
    """Numbers as SymPy has them; anything else as it is."""
    if isinstance(argument, Tensor):
        argument = argument.item()
    return exact(argument) if isinstance(argument, int | float) and not isinstance(argument, bool) else argument


def _argument(argument: Any) -> Formula:
    """An argument of a function, as it is shown."""
    if isinstance(argument, Formula):
        return argument
    if isinstance(argument, slice):
        ends = [_argument(end).plain if end is not None else "" for end in (argument.start, argument.stop)]
        return Formula(":".join(ends), ":".join(ends))
    if isinstance(argument, tuple | list):
        parts = [_argument(part) for part in argument]
        return Formula(
            f"({', '.join(part.plain for part in parts)})",
            rf"\left({', '.join(part.latex for part in parts)}\right)",
        )
    if isinstance(argument, Tensor):
        argument = argument.item()
    if isinstance(argument, int | float) and not isinstance(argument, bool):
        return quantity(argument)
    text = "…" if argument is Ellipsis else str(argument).removeprefix("torch.")
    return Formula(text, r"\mathrm{" + text.replace("_", r"\_").replace("…", r"\ldots") + "}")
