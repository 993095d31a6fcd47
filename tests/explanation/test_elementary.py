"""The table of elementary functions: each line against torch, its derivatives against mpmath and PyTorch."""

from __future__ import annotations

import mpmath
import pytest
import sympy
import torch
import torch.nn.functional as F

from apolar.explanation.compute import PIECES, WITH_TENSORS, compute
from apolar.explanation.elementary import ELEMENTARY, SPELLINGS
from apolar.explanation.local import Operation
from apolar.explanation.tape import Recorder

POINTS = {"acosh": (1.7, 2.4, 3.1), "logit": (0.2, 0.4, 0.7)}
"""Where torch's function is defined, if not at all of these:"""

DEFAULT = (0.3, 0.8, 0.55)

SKIPPED = {
    "radd", "rmul", "max", "min", "where",  # spellings of others, and one with a condition; in scenarios.py
}  # fmt: skip

CALLS = {
    "rsub": lambda x: 2.5 - x,
    "rdiv": lambda x: 2.5 / x,
    "rpow": lambda x: 2.5**x,
    "clamp": lambda x: torch.clamp(x, 0.1, 0.4),
    "polygamma": lambda x: torch.polygamma(1, x),
    "to": lambda x: x.float().to(torch.float64),
    "float": lambda x: x.half().float(),
    "double": lambda x: x.float().double(),
    **{kind.__name__: function for kind, function in WITH_TENSORS.items() if kind.__name__ in PIECES},
}
"""What is not a function of tensors alone."""


def function_of(name):
    return CALLS.get(name) or getattr(torch, name, None) or getattr(F, name)


def recorded(name):
    """The operation as it is recorded, with as many operands as torch takes."""
    x = [torch.tensor(v, dtype=torch.float64) for v in POINTS.get(name, DEFAULT)]
    for count in (1, 2, 3):
        recorder = Recorder([(f"x{k}", v) for k, v in enumerate(x[:count])], {})
        try:
            with recorder:
                result = function_of(name)(*(recorder.tensor(node) for node in recorder.inputs))
        except TypeError:
            continue
        return Operation(recorder.node(result))
    raise AssertionError(name)


def exactly(expression, operation):
    """The value of an expression at the operands, by mpmath with 40 digits."""
    point = {s: sympy.Float(float(x.value), 40) for s, x in zip(operation.symbols, operation.node.operands)}
    return float(mpmath.mpf(str(expression.xreplace(point).doit().evalf(40))))


@pytest.mark.parametrize("name", sorted(set(ELEMENTARY) - SKIPPED))
def test_a_line_is_the_function_of_torch_and_its_derivative(name: str) -> None:
    operation = recorded(name)
    assert operation.expression is not None
    rough = name in ("digamma", "polygamma")  # whose derivatives torch computes to about ten digits
    value = float(operation.node.value)
    assert exactly(operation.expression, operation) == pytest.approx(value, rel=1e-9 if rough else 1e-13, abs=1e-15)
    for position in range(len(operation.symbols)):
        derivative = operation.derivative(position)
        local = float(operation.local(position))
        assert exactly(derivative, operation) == pytest.approx(local, rel=1e-9 if rough else 1e-12, abs=1e-14)
        values = dict(zip(operation.symbols, (x.value for x in operation.node.operands)))
        assert float(compute(derivative, values)) == pytest.approx(local, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("name", ["relu", "abs", "leaky_relu", "elu", "relu6", "softsign", "sign"])
@pytest.mark.parametrize("at", [0.0, 6.0, -1.0])
def test_at_kinks_the_formula_is_what_pytorch_takes(name: str, at: float) -> None:
    recorder = Recorder([("x", torch.tensor(at, dtype=torch.float64))], {})
    with recorder:
        result = function_of(name)(recorder.tensor(recorder.inputs[0]))
    operation = Operation(recorder.node(result))
    assert float(compute(operation.derivative(0), {operation.symbols[0]: recorder.inputs[0].value})) == operation.local(
        0
    )


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_equal_numbers_share_the_derivative(name: str) -> None:
    x = torch.tensor(2.0, dtype=torch.float64)
    recorder = Recorder([("x", x), ("y", x)], {})
    with recorder:
        result = function_of(name)(*map(recorder.tensor, recorder.inputs))
    operation = Operation(recorder.node(result))
    for position in (0, 1):
        assert float(compute(operation.derivative(position), dict.fromkeys(operation.symbols, x))) == 0.5
        assert operation.local(position) == 0.5


def test_spellings_lead_to_lines() -> None:
    assert set(SPELLINGS.values()) <= set(ELEMENTARY)
