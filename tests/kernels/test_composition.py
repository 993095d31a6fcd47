"""Compositions, once as torch functions and once as programs: against exact polynomials, and each other."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from apolar.algebras.algebra import Algebra
from apolar.engine import series
from apolar.kernels import composition as module
from apolar.kernels.composition import Composition
from apolar.kernels.program import NotRecorded

from . import test_eager
from .programs import (
    ALGEBRAS,
    FORMS,
    NOT_RECORDED,
    RULES,
    Recorded,
    agree,
    composition,
    entries,
    interpreted,
    operands,
)
from .test_eager import components

each_form = pytest.mark.parametrize("form", FORMS)
each_rule = pytest.mark.parametrize("rule", RULES, ids=str)
each_algebra = pytest.mark.parametrize("name", ALGEBRAS)

x, y, z = test_eager.VARIABLES
LINEAR = 2 * x - y + 3 * z + 1
"""Of the coordinates, so that only the value and the first derivatives are not zero."""


def power(p: float) -> series.Expansion:
    return series.Expansion(entries()["number_power"], (p,))


def given(algebra: Algebra, form: str) -> tuple[Composition, list[Tensor]]:
    """(2x − y + 3z + 1)⁵ for a form, and its operands."""
    g = components(algebra, LINEAR)
    carried = tuple(k for k in range(1, algebra.size) if g[k].any())
    wanted = (0, algebra.size - 1) if "wanted" in form else None
    if "uniform" in form:
        return Composition(algebra, power(5), carried, wanted), [g[:1, :, None], g[list(carried), :1, None]]
    return Composition(algebra, power(5), None, wanted), [g[:, :, None]]


POLYNOMIAL = [name for name, algebra in test_eager.ALGEBRAS.items() if algebra.order]


@each_form
@pytest.mark.parametrize("name", POLYNOMIAL)
def test_torch_functions_agree_with_exact_polynomials(name: str, form: str) -> None:
    algebra = test_eager.ALGEBRAS[name]
    whole, tensors = given(algebra, form)
    expected = components(algebra, LINEAR**5)[list(whole.results)]
    agree(whole(*tensors).squeeze(-1), expected, 1e-12)


@each_form
@pytest.mark.parametrize("name", POLYNOMIAL)
def test_programs_agree_with_exact_polynomials(name: str, form: str) -> None:
    algebra = test_eager.ALGEBRAS[name]
    whole, tensors = given(algebra, form)
    (found,) = interpreted(whole.forward(), *tensors)
    agree(found.squeeze(-1), components(algebra, LINEAR**5)[list(whole.results)], 1e-12)


@pytest.mark.parametrize("name", POLYNOMIAL)
def test_adjoints_agree_with_exact_polynomials(name: str) -> None:
    """⟨w, 5 g⁴ h⟩ = ⟨ḡ, h⟩ for every h."""
    algebra = test_eager.ALGEBRAS[name]
    whole, (g,) = given(algebra, "stacked")
    w, h = components(algebra, test_eager.W)[..., None], test_eager.H
    expected = (w.squeeze(-1) * components(algebra, 5 * LINEAR**4 * h)).sum()
    for (found,) in (whole.pull_back(g, w), interpreted(whole.backward(), g, w)):
        assert torch.allclose((found.squeeze(-1) * components(algebra, h)).sum(), expected, rtol=1e-11)


@pytest.mark.parametrize("form", ["stacked", "uniform and wanted"])
@each_algebra
@each_rule
def test_programs_agree_with_torch_functions(rule: Recorded, name: str, form: str) -> None:
    whole = composition(rule, ALGEBRAS[name], form)
    *g, w = operands(rule, whole, 2, 5, 3)
    (found,) = interpreted(whole.forward(), *g)
    agree(found, whole(*g), 1e-12)
    for a, b in zip(interpreted(whole.backward(), *g, w), whole.pull_back(*g, w), strict=True):
        agree(a.reshape(b.shape), b, 1e-12)


@each_form
@each_algebra
@pytest.mark.parametrize("size", [(3, 4), (40, 30)], ids=str)
def test_adjoints_are_those_of_autograd(size: tuple[int, ...], name: str, form: str) -> None:
    """By differentiating the forward pass in torch functions; small and large tensors take different paths."""
    rule = RULES[8]
    whole = composition(rule, ALGEBRAS[name], form)
    *g, w = operands(rule, whole, *size)
    moving = [x.clone().requires_grad_() for x in g]
    expected = torch.autograd.grad(whole(*moving), moving, w)
    for a, b in zip(whole.pull_back(*g, w), expected, strict=True):
        agree(a, b, 1e-12)


def test_wanted_components_are_those_of_the_whole() -> None:
    rule, algebra = RULES[0], ALGEBRAS["biharmonic"]
    whole = composition(rule, algebra, "stacked")
    g, _ = operands(rule, whole, 7, 3)
    everything = whole(g)
    for k in range(algebra.size):
        agree(Composition(algebra, rule.taylor, None, (k,))(g), everything[k : k + 1], 1e-13)


def test_a_program_for_one_component_is_smaller() -> None:
    algebra, taylor = ALGEBRAS["biharmonic"], RULES[4].taylor
    whole = Composition(algebra, taylor).forward()
    assert len(Composition(algebra, taylor, None, (0,)).forward().steps) == 1
    assert len(Composition(algebra, taylor, (1, 2), (algebra.size - 1,)).forward().steps) < len(whole.steps)


def test_the_same_composition_is_one() -> None:
    algebra, rule = ALGEBRAS["KdV"], RULES[0]
    first = module.composition(algebra, series.expansion(rule.taylor.entry))
    assert module.composition(algebra, series.expansion(rule.taylor.entry)) is first
    assert module.composition(algebra, series.expansion(rule.taylor.entry), None, (0,)) is not first


# ------------------------------------------------------------------------------------------------------- what is recorded


def test_every_rule_is_either_recorded_or_known_not_to_be() -> None:
    recorded = {rule.taylor.entry.function.__name__ for rule in RULES}
    assert recorded.isdisjoint(NOT_RECORDED)
    assert recorded | NOT_RECORDED == set(entries())


PARAMETERS: dict[str, tuple[Any, ...]] = {
    "threshold": (0.1, 0.2), "polygamma_at": (2,), "torch_polygamma": (2,), "zeta_at": (2.0,),
    **dict.fromkeys(("bessel_i0", "bessel_j0", "erfcx", "scaled_i0", "scaled_k0", "sin_ratio"), (1,)),
    "gammainc_at": (torch.tensor(1.5),), "gammaincc_at": (torch.tensor(1.5),),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(NOT_RECORDED))
def test_a_rule_that_is_not_recorded_says_so(name: str) -> None:
    """By its value or its derivative, never by another error."""
    whole = Composition(ALGEBRAS["KdV"], series.Expansion(entries()[name], PARAMETERS.get(name, ())))
    with pytest.raises(NotRecorded):
        (whole.forward(), whole.backward())


@pytest.mark.parametrize("p", [2.7, -0.3, 65, -64.5])
def test_other_powers_are_not_recorded(p: float) -> None:
    with pytest.raises(NotRecorded):
        Composition(ALGEBRAS["KdV"], power(p)).forward()
