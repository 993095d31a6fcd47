"""Whole explanations: the numbers agree with nested autograd and SymPy, and the steps multiply and add up."""

from __future__ import annotations

import dataclasses
import math

import pytest
import sympy
import torch
from torch import Tensor

import apolar as ap
from apolar.explanation import By, Explanation
from tests.explanation.scenarios import FORMULAS, NET, SCENARIOS, Scenario


def nested(f, inputs: dict[str, Tensor], order: int) -> dict[By, Tensor]:
    """Each derivative of the sum of the one before, by torch.autograd."""
    leaves = {name: x.clone().requires_grad_() for name, x in inputs.items()}
    found: dict[By, Tensor] = {}

    def descend(by: By, y: Tensor, left: int) -> None:
        if not y.requires_grad:
            gradients = [torch.zeros_like(x) for x in leaves.values()]
        else:
            gradients = torch.autograd.grad(y.sum(), list(leaves.values()), create_graph=True, materialize_grads=True)
        for name, gradient in zip(leaves, gradients):
            found[(*by, name)] = gradient.detach()
            if left > 1:
                descend((*by, name), gradient, left - 1)

    descend((), f(*leaves.values()), order)
    return found


def assert_adds_up(explanation: Explanation) -> None:
    for derivation in explanation.derivations:
        for adjoint in derivation.adjoints:
            total = None
            for contribution in adjoint.contributions:
                total = contribution.value if total is None else total + contribution.value
                if contribution.local is not None:
                    product = contribution.upstream * contribution.local
                    assert torch.equal(product.sum_to_size(contribution.value.shape), contribution.value)
            assert total is None or torch.equal(total, adjoint.gradient)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_derivatives_are_those_of_nested_autograd(scenario: Scenario) -> None:
    explanation = ap.explain(scenario.function, scenario.inputs, scenario.order)
    expected = nested(scenario.function, dict(explanation.inputs), scenario.order)
    for by, value in explanation.derivatives.items():
        if by in expected:
            torch.testing.assert_close(value, expected[by], rtol=1e-8, atol=1e-8)
    assert {by for by in explanation.derivatives if len(by) == 1} >= {by for by in expected if len(by) == 1}
    assert_adds_up(explanation)


@pytest.mark.parametrize("text", FORMULAS)
def test_derivatives_are_those_of_sympy(text: str) -> None:
    point = FORMULAS[text]
    explanation = ap.explain(text, point, 2)
    symbols = {name: sympy.Symbol(name, real=True) for name in point}
    formula = ap.expression.parse(text).symbolic()
    for by, value in explanation.derivatives.items():
        expected = sympy.diff(formula, *(symbols[name] for name in by)).doit()
        number = expected.subs({symbols[name]: x for name, x in point.items()}).evalf(30)
        assert float(value) == pytest.approx(float(number), rel=1e-12, abs=1e-14)
    assert_adds_up(explanation)


def test_the_example_of_the_textbook() -> None:
    explanation = ap.explain("cos(x^2)", x=0.5, order=2)
    first, second = explanation.derivations
    assert [(str(s.formula), float(s.value)) for s in first.steps] == [
        ("x²", 0.25),
        ("cos(v₁)", pytest.approx(0.968912, abs=1e-6)),
    ]
    seed, outer, inner = first.adjoints
    assert seed.gradient == 1
    assert not seed.contributions
    assert str(outer.contributions[0].derivative) == "-sin(v₁)"
    assert float(outer.contributions[0].local) == pytest.approx(-0.247404, abs=1e-6)
    assert str(inner.contributions[0].derivative) == "2·x"
    assert float(inner.contributions[0].local) == 1
    assert float(first.gradients["x"]) == pytest.approx(-0.247404, abs=1e-6)
    assert float(second.gradients["x"]) == pytest.approx(-1.463720, abs=1e-6)
    assert str(explanation.symbolic[-1].formula) == "-4·x²·cos(x²) - 2·sin(x²)"


def test_parameters_have_gradients() -> None:
    explanation = ap.explain(NET, torch.ones(2, 3, dtype=torch.float64))
    NET.zero_grad()
    NET(torch.ones(2, 3, dtype=torch.float64)).sum().backward()
    for name, parameter in NET.named_parameters():
        torch.testing.assert_close(explanation.derivatives[(name,)], parameter.grad)


def test_a_seed_multiplies_the_entries_of_the_result() -> None:
    x = torch.tensor([1.0, 2.0], dtype=torch.float64)
    explanation = ap.explain(lambda x: x**3, x, 2, seed=[1.0, 10.0])
    assert explanation.derivatives["x",].tolist() == [3, 120]
    assert explanation.derivatives["x", "x"].tolist() == [6, 120]
    assert explanation.symbolic == ()


def test_inputs_are_left_alone() -> None:
    x = torch.ones(3, dtype=torch.float64, requires_grad=True)
    ap.explain(lambda x: x.mul_(2).sum(), x)
    assert x.tolist() == [1, 1, 1]
    assert x.grad is None


def test_single_precision_stays() -> None:
    explanation = ap.explain(torch.sin, torch.ones(2))
    assert explanation.derivatives["x",].dtype == torch.float32


def of_names(alpha, beta):
    return alpha * beta


@pytest.mark.parametrize(
    "f, x, names",
    [
        (of_names, (1.0, 2.0), ["alpha", "beta"]),
        (torch.sin, 1.0, ["x"]),
        (torch.nn.Tanh(), 1.0, ["x"]),
        (torch.hypot, (1.0, 2.0), ["x1", "x2"]),
        ("a*b", {"b": 1, "a": 2}, ["a", "b"]),
        ("t^2", 3.0, ["t"]),
    ],
)
def test_names_of_inputs(f, x, names) -> None:
    assert list(ap.explain(f, x).inputs) == names


def test_names_do_not_collide() -> None:
    explanation = ap.explain("v1*u2 + sin(v1)", v1=1, u2=2)
    names = [leaf.name.plain for leaf in explanation.derivations[0].leaves]
    names += [step.name.plain for step in explanation.derivations[0].steps]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "arguments, options, error, message",
    [
        (("cos(x^2)",), {}, ap.ExpressionError, "a value is missing for x"),
        (("x*y", {"x": 1, "y": 2, "z": 3}), {}, ap.ExpressionError, "z does not occur"),
        (("3",), {}, ap.ExpressionError, "no variable"),
        ((torch.sin,), {}, ap.FunctionError, "x is missing"),
        ((torch.sin, 1.0), {"y": 2}, ap.FunctionError, "only a formula takes its values by name"),
        ((torch.sin, torch.tensor([1, 2])), {}, ap.DtypeError, r"use x\.double\(\)"),
        ((torch.sin, "1"), {}, ap.DtypeError, "neither a number nor a tensor"),
        ((torch.sin, 1.0, 0), {}, ap.OperatorError, "whole number from 1"),
        ((torch.sin, 1.0), {"seed": [1.0, 2.0]}, ap.ShapeError, r"the seed has the shape \(2,\)"),
        ((torch.sin, 1.0), {"lang": "fr"}, ap.LanguageError, "en, zh"),
        ((lambda x: (x, x), 1.0), {}, ap.FunctionError, "must return one tensor"),
        ((lambda x: x.missing, 1.0), {}, ap.FunctionError, "fails at this point with AttributeError"),
        ((lambda x: x.detach(), 1.0), {}, ap.FunctionError, "does not depend on the inputs"),
        ((lambda x: x > 0, 1.0), {}, ap.FunctionError, "does not depend on the inputs"),
        ((lambda x: torch.complex(x, x), 1.0), {}, ap.DtypeError, "complex numbers, called at"),
        ((lambda x: torch.fft.rfft(x).abs().sum(), torch.ones(3)), {}, ap.DtypeError, "fft_rfft gives complex"),
        (("x*y*z*w", dict.fromkeys("xyzw", 1.0), 6), {}, ap.OperatorError, "more than 60 derivations"),
    ],
)
def test_refusals(arguments, options, error, message) -> None:
    with pytest.raises(error, match=message):
        ap.explain(*arguments, **options)


def test_records_are_frozen() -> None:
    explanation = ap.explain("x^2", x=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        explanation.order = 2  # type: ignore[misc]


def test_wrong_derivatives_of_pytorch_are_refused() -> None:
    """docs/pytorch-defects.md: the third derivative of layer_norm in reverse mode is wrong; the second is right."""

    def normalise(s):
        return torch.nn.functional.layer_norm(torch.stack([s, -s]), (2,), eps=1.0)[0]

    expected = ap.derivative(normalise, order=2)(1.0)
    torch.testing.assert_close(ap.explain(normalise, 1.0, 2).derivatives["s", "s"], expected)
    with pytest.raises(ap.VerificationError, match="0\\.795495 when its components travel forward"):
        ap.explain(normalise, 1.0, 3)


def test_a_singular_point_is_refused_where_the_ways_differ() -> None:
    """The derivative of xʸ by y is taken as 0 at x = 0; as xʸ log x it is 0·∞."""
    assert float(ap.explain("x^y", {"x": 0, "y": 2}).derivatives["y",]) == 0
    with pytest.raises(ap.VerificationError, match="kink or a singular point"):
        ap.explain("x^y", {"x": 0, "y": 2}, 2)


def test_second_derivatives_that_autograd_leaves_without_memory() -> None:
    explanation = ap.explain(lambda x: torch.nn.functional.l1_loss(x, torch.zeros_like(x)), torch.ones(2).double(), 2)
    assert explanation.derivatives["x", "x"].tolist() == [0, 0]


def test_a_value_that_is_two_arguments_has_two_contributions() -> None:
    """By each argument alone: neither of them is ∂v₁/∂x."""
    explanation = ap.explain("x^x", x=2.0, order=2)
    base, exponent = explanation.derivations[0].adjoints[1].contributions
    assert (base.place, exponent.place) == (1, 2)
    assert float(base.value) == 4
    assert float(exponent.value) == pytest.approx(4 * math.log(2))
    assert "x̄⁽¹⁾ = v̄₁·x^(x - 1)·x = 1·4 = 4   (from v₁, by pow, as argument 1)" in str(explanation)
    assert [str(c.formula) for c in explanation.components] == [
        "x^x·log(x) + x^x",
        "x^x·log(x)² + 2·x^x·log(x) + x^x + x^x/x",
    ]


@pytest.mark.parametrize("text", ["digamma(x)", "lgamma(x)", "relu(x)*x", "max(x, 1)*x", "min(x, 1)^2", "gelu(x)"])
def test_every_step_of_a_formula_has_a_local_derivative(text: str) -> None:
    for derivation in ap.explain(text, x=1.5, order=3).derivations:
        for adjoint in derivation.adjoints:
            assert all(contribution.local is not None for contribution in adjoint.contributions)


def test_far_out_a_second_derivative_is_0_and_not_nan() -> None:
    assert float(ap.explain("gelu(x)", x=-900.0, order=2).derivatives["x", "x"]) == 0


def test_numbers_beyond_the_largest() -> None:
    explanation = ap.explain("x^2", x=1e200)
    assert float(explanation.derivatives["x",]) == 2e200
    assert "v₁ = x² = (1e+200)² = inf" in str(explanation)
    assert [found.by for found in explanation.symbolic] == [("x",)]


@pytest.mark.parametrize(
    "text, x, sentence",
    [
        ("log(x) + x", -1.0, "v₁ is the first value that is not a finite number"),
        ("sqrt(x)", 0.0, "The derivative of f is not finite here"),
        ("x^2", 1.0, None),
    ],
)
def test_what_is_not_finite_is_named(text: str, x: float, sentence: str | None) -> None:
    found = str(ap.explain(text, x=x))
    assert sentence in found if sentence else "finite" not in found


def test_attention_has_second_derivatives() -> None:
    q, k = torch.randn(2, 1, 3, 2, dtype=torch.float64)

    def attend(q: Tensor, k: Tensor) -> Tensor:
        return torch.nn.functional.scaled_dot_product_attention(q, k, q * k)

    def by_hand(q: Tensor, k: Tensor) -> Tensor:
        return (q @ k.mT / math.sqrt(2)).softmax(-1) @ (q * k)

    explanation = ap.explain(attend, (q, k), 2)
    expected = nested(by_hand, {"q": q, "k": k}, 2)
    for by, value in explanation.derivatives.items():
        if by in expected:
            torch.testing.assert_close(value, expected[by])


def test_what_pytorch_cannot_differentiate_is_refused() -> None:
    points = torch.ones(2, 3, dtype=torch.float64)
    with pytest.raises(ap.UnsupportedOperator, match="_cdist_backward"):
        ap.explain(lambda x: torch.cdist(x, points * torch.arange(1, 4)).sum(), points, 2)


def test_several_results_of_which_one_input_makes_only_some() -> None:
    x, y = torch.ones(2, dtype=torch.float64), torch.arange(3, dtype=torch.float64)
    explanation = ap.explain(lambda x, y: torch.mul(*torch.meshgrid(x, y, indexing="ij")), (x, y), 2)
    assert explanation.derivatives["x",].tolist() == [3, 3]
    assert explanation.derivatives["x", "y"].tolist() == [2, 2, 2]


MISREAD = {
    "a call without parentheses": ("sinx", {"x": 1}, r"did you mean sin\(x\)"),
    "with a factor": ("cos2t", {"t": 1}, r"did you mean cos\(2\*t\)"),
    "in a product": ("x*lny", {"x": 1, "y": 2}, r"did you mean ln\(y\)"),
    "another variable": ("sin(t)", {"x": 1}, "variable t; a value is missing for t, and a value is given for x"),
    "a larger variable": ("X^2", {"x": 1}, "missing for X, and a value is given for x"),
}


@pytest.mark.parametrize("text, values, said", MISREAD.values(), ids=MISREAD)
def test_a_formula_is_not_taken_for_another(text: str, values: dict[str, float], said: str) -> None:
    with pytest.raises(ap.ExpressionError, match=said):
        ap.explain(text, **values)


@pytest.mark.parametrize("name", ["signal", "max1x", "tangent", "expected", "loss", "sins2b"])
def test_names_that_begin_like_a_function_are_names(name: str) -> None:
    assert float(ap.explain(f"{name}^2", {name: 3}).derivatives[name,]) == 6


def test_a_name_that_is_given_a_value_is_a_variable() -> None:
    assert float(ap.explain("sinx^2", sinx=3).derivatives["sinx",]) == 6


@pytest.mark.parametrize("text, x", [("log(x)", -1.0), ("asin(x)", 2.0), ("x^0.5", -1.0), ("2*log(x)^2 + x", -1.0)])
def test_outside_of_the_domain_there_is_no_derivative(text: str, x: float) -> None:
    assert ap.explain(text, x=x).derivatives["x",].isnan()
    with pytest.raises(ap.SingularPoint, match="is not defined at this point"):
        ap.explain(text, x=x, order=2)


def test_a_branch_that_is_not_taken_may_be_outside_of_its_domain() -> None:
    f = lambda x: torch.where(x > 0, torch.log(x), 2 * x)  # noqa: E731
    assert float(ap.explain(f, -1.0).derivatives["x",]) == 2


def test_every_cotangent_of_a_convolution_has_its_own_words() -> None:
    conv = torch.nn.Conv2d(1, 2, 2).double()
    (found, *_) = ap.explain(conv, torch.randn(1, 1, 4, 4, dtype=torch.float64)).derivations
    words = [c.words for adjoint in found.adjoints for c in adjoint.contributions if c.function == "conv2d"]
    assert len(words) == len(set(words)) == 3
    assert sum("transposed" in text for text in words) == 1
