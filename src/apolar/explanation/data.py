"""An explanation as JSON: every number with all its digits."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from apolar.explanation.explanation import Adjoint, Contribution, Derivation, Explanation
from apolar.explanation.notation import Formula
from apolar.text.output import to_json


def as_json(explanation: Explanation) -> str:
    """The whole explanation; tensors are nested lists, and what is not finite is a string."""
    return to_json(as_data(explanation))


def as_data(explanation: Explanation) -> dict[str, Any]:
    """The same as dictionaries, lists, numbers and strings; numbers need not be finite."""
    return {
        "function": explanation.title,
        "at": {name: _numbers(value) for name, value in explanation.inputs.items()},
        "order": explanation.order,
        "seed": _numbers(explanation.seed),
        "value": _numbers(explanation.value),
        "derivatives": [{"by": list(by), "value": _numbers(value)} for by, value in explanation.derivatives.items()],
        "derivations": [_derivation(found) for found in explanation.derivations],
        "components": [
            {"name": c.name.plain, "formula": _plain(c.formula), "value": _numbers(c.value)}
            for c in explanation.components
        ],
        "symbolic": [{"by": list(s.by), "formula": s.text, "latex": s.formula.latex} for s in explanation.symbolic],
    }


def _derivation(found: Derivation) -> dict[str, Any]:
    return {
        "derivative_by": list(found.by),
        "leaves": [
            {"name": leaf.name.plain, "kind": leaf.kind, "label": leaf.label, "value": _numbers(leaf.value)}
            for leaf in found.leaves
        ],
        "forward": [
            {
                "name": step.name.plain,
                "function": step.function,
                "formula": step.formula.plain,
                "latex": step.formula.latex,
                "inputs": [operand.plain for operand in step.operands],
                "shape": list(step.value.shape),
                "value": _numbers(step.value),
            }
            for step in found.steps
        ],
        "output": found.output.plain,
        "value": _numbers(found.value),
        "backward": [_adjoint(adjoint) for adjoint in found.adjoints],
        "gradients": {name: _numbers(value) for name, value in found.gradients.items()},
    }


def _adjoint(adjoint: Adjoint) -> dict[str, Any]:
    return {
        "of": adjoint.of.plain,
        "contributions": [_contribution(c) for c in adjoint.contributions],
        "gradient": _numbers(adjoint.gradient),
    }


def _contribution(contribution: Contribution) -> dict[str, Any]:
    return {
        "from": contribution.user.plain,
        "function": contribution.function,
        "argument": contribution.place,
        "local_derivative": _plain(contribution.derivative),
        "product": contribution.product.plain,
        "latex": contribution.product.latex,
        "upstream": _numbers(contribution.upstream),
        "local": _numbers(contribution.local),
        "contribution": _numbers(contribution.value),
    }


def _plain(formula: Formula | None) -> str | None:
    return None if formula is None else formula.plain


def _numbers(value: Tensor | None) -> Any:
    return None if value is None else value.tolist()
