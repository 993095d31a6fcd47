"""Derivatives that travel forward: the numbers against mpmath, and the chain rule that is shown against the numbers."""

from __future__ import annotations

import mpmath
import pytest
import torch

import apolar as ap


@pytest.mark.parametrize(
    "text, f", [("cos(x^2)", lambda x: mpmath.cos(x**2)), ("exp(sin(x))/x", lambda x: mpmath.exp(mpmath.sin(x)) / x)]
)
def test_against_mpmath(text, f) -> None:
    explanation = ap.explain(text, x=0.7, order=4)
    found = [float(c.value) for c in explanation.components[-4:]]
    assert found == pytest.approx([float(mpmath.diff(f, 0.7, n)) for n in (1, 2, 3, 4)], rel=1e-9)
    assert [c.name.plain for c in explanation.components[:4]] == ["v₁′", "v₁″", "v₁‴", "v₁⁽⁴⁾"]


def test_several_inputs_have_every_partial_derivative() -> None:
    explanation = ap.explain("x^2*y^3", {"x": 2, "y": 3}, 2)
    last = {c.name.plain: float(c.value) for c in explanation.components[-5:]}
    assert last == {"∂x v₃": 108, "∂y v₃": 108, "∂x² v₃": 54, "∂x∂y v₃": 108, "∂y² v₃": 72}


def test_the_formula_gives_the_number() -> None:
    explanation = ap.explain("sin(x)*x^3", x=0.7, order=2)
    values = {c.name.plain: float(c.value) for c in explanation.components}
    values |= {s.name.plain: float(s.value) for s in explanation.derivations[0].steps}
    by_name = {c.name.plain: c.formula.plain for c in explanation.components}
    assert by_name["v₃″"] == "v₁·v₂″ + v₂·v₁″ + 2·v₁′·v₂′"
    product = values["v₁"] * values["v₂″"] + 2 * values["v₁′"] * values["v₂′"] + values["v₁″"] * values["v₂"]
    assert product == pytest.approx(values["v₃″"], rel=1e-14)


def test_first_order_needs_none() -> None:
    assert ap.explain("x^2", x=1).components == ()


def test_a_function_without_rule_has_none() -> None:
    @torch.library.custom_op("apolar_tests::cube", mutates_args=())
    def cube(x: torch.Tensor) -> torch.Tensor:
        return x**3

    cube.register_autograd(
        lambda ctx, g: 3 * ctx.saved_tensors[0] ** 2 * g,
        setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs),
    )
    explanation = ap.explain(lambda x: torch.ops.apolar_tests.cube(x), 2.0, 2)
    assert float(explanation.derivatives["x", "x"]) == 12
