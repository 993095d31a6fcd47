"""The table of tensor functions: each pull-back that is computed against PyTorch, and how it reads."""

from __future__ import annotations

import pytest
import torch

from apolar.explanation import _record
from apolar.explanation.document import adjoint
from apolar.explanation.local import Operation
from apolar.explanation.tape import ancestors
from tests.explanation.scenarios import OF_TENSORS, Scenario


def operations(scenario: Scenario):
    names = [f"x{k}" for k in range(len(scenario.inputs))]
    _, output = _record(scenario.function, list(zip(names, scenario.inputs)))
    return [Operation(node) for node in ancestors(output) if node.kind == "operation" and node.active]


@pytest.mark.parametrize("scenario", OF_TENSORS, ids=str)
def test_pullbacks_are_those_of_pytorch(scenario: Scenario) -> None:
    for operation in operations(scenario):
        node, rule = operation.node, operation.rule
        if operation.expression is not None or not rule.pullbacks or not rule.computes(node):
            continue
        upstream = torch.randn_like(node.value)
        operands = [operand.value for operand in node.operands]
        for position, operand in enumerate(node.operands):
            if operand.active:
                found = rule.pullbacks[position](upstream, node.value, operands, node)
                shape = operand.value.shape
                found = found.sum_to_size(shape) if found.numel() > shape.numel() else found.expand(shape)
                torch.testing.assert_close(found, operation.contribution(position, upstream))


@pytest.mark.parametrize("scenario", OF_TENSORS, ids=str)
def test_every_contribution_reads_as_a_formula_or_as_words(scenario: Scenario) -> None:
    for operation in operations(scenario):
        for position, operand in enumerate(operation.node.operands):
            if operand.active:
                assert adjoint(operation.node.name).plain in operation.product(position).plain
                assert operation.expression is not None or operation.rule.pullbacks or operation.words(0)


def test_products_of_matrices() -> None:
    x, w = torch.ones(3, 2, dtype=torch.float64), torch.ones(2, 4, dtype=torch.float64)
    _, output = _record(lambda x, w: x @ w, [("x", x), ("w", w)])
    operation = Operation(output)
    assert str(operation.formula) == "x·w"
    assert [str(operation.product(k)) for k in (0, 1)] == ["v̄₁·wᵀ", "xᵀ·v̄₁"]
    assert operation.product(0).latex == r"\bar{v}_{1} \, {w}^{\top}"


def test_layers() -> None:
    layer = torch.nn.Linear(2, 3).double()
    _, output = _record(layer, [("x", torch.ones(4, 2, dtype=torch.float64))])
    operation = Operation(output)
    assert str(operation.formula) == "x·W₁ᵀ + b₁"
    assert [str(operation.product(k)) for k in range(3)] == ["v̄₁·W₁", "v̄₁ᵀ·x", "Σ(v̄₁)"]


def test_what_has_no_entry_says_so() -> None:
    _, output = _record(torch.matrix_exp, [("x", torch.eye(2, dtype=torch.float64))])
    operation = Operation(output)
    assert operation.words(0) == "the vector–Jacobian product of {function}"
    assert str(operation.product(0)) == "Jᵀ(matrix_exp)·v̄₁"


A = torch.tensor([[3.0, 1.0], [-1.0, 2.0]], dtype=torch.float64)
B = torch.tensor([0.5, -2.0], dtype=torch.float64)

CLASSICAL = [
    (torch.linalg.det, (A,), ["v̄₁·v₁·(x0⁻¹)ᵀ"]),
    (torch.logdet, (A,), ["v̄₁·(x0⁻¹)ᵀ"]),
    (lambda a: torch.linalg.slogdet(a).logabsdet, (A,), ["v̄₂·(x0⁻¹)ᵀ"]),
    (torch.linalg.inv, (A,), ["-v₁ᵀ·v̄₁·v₁ᵀ"]),
    (torch.linalg.solve, (A, B), ["-(x0⁻¹)ᵀ·v̄₁·v₁ᵀ", "(x0⁻¹)ᵀ·v̄₁"]),
    (torch.linalg.solve, (A, A.mT), ["-(x0⁻¹)ᵀ·v̄₁·v₁ᵀ", "(x0⁻¹)ᵀ·v̄₁"]),
    (torch.outer, (B, B + 1), ["v̄₁·x1", "v̄₁ᵀ·x0"]),
    (torch.trace, (A,), ["v̄₁·I"]),
    (lambda a: a.T, (A,), ["v̄₁ᵀ"]),
    (lambda a: a.reshape(4), (A,), ["reshape(v̄₁, (2, 2))"]),
]


@pytest.mark.parametrize("function, inputs, products", CLASSICAL)
def test_classical_formulas_of_matrices(function, inputs, products: list[str]) -> None:
    _, output = _record(function, [(f"x{k}", value) for k, value in enumerate(inputs)])
    operation = Operation(output)
    upstream = torch.randn_like(output.value)
    for k, product in enumerate(products):
        assert str(operation.product(k)).replace("₀", "0").replace("x₁", "x1") == product
        found = operation.rule.pullbacks[k](upstream, output.value, inputs, output)
        torch.testing.assert_close(found, operation.contribution(k, upstream))


def test_a_singular_matrix_has_no_inverse_in_its_formula() -> None:
    _, output = _record(torch.linalg.det, [("x", torch.ones(2, 2, dtype=torch.float64))])
    assert str(Operation(output).product(0)) == "Jᵀ(linalg_det)·v̄₁"
