"""Every case of every table: along a random direction, mixed, one input alone, and in reverse."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.oracles.jets import jet_derivatives, jet_gradient
from tests.oracles.ladder import scale
from tests.oracles.lines import Estimate, Index

from .case import Case, alone, cotangent, reference
from .refusal import right_or_refused
from .tables import CASES

ALONG: tuple[Index, ...] = ((1, 0), (2, 0), (3, 0), (4, 0))
MIXED: tuple[Index, ...] = ((2, 1), (1, 1), (1, 0))
SEVERAL = [
    (case, k) for case in CASES if len(case.inputs) > 1 for k, p in enumerate(case.point()) if p.is_floating_point()
]

UNCERTAIN = 1e-4
"""What a reference may leave open, relative to the largest entry: a factor that is 1 % wrong is a hundred times as much.

Its error is that of rounding in the samples, which differs between processors, divided by powers of a radius.
"""


def compare(case: Case, found: Tensor, exact: Estimate, what: object) -> None:
    """Fails where the difference is more than the tolerance and more than the reference's own error explains."""
    uncertain = float(exact.error.max()) if exact.error.numel() else 0.0
    allowed = max(case.tolerance * scale(exact.value), 20 * uncertain)
    assert allowed <= UNCERTAIN * scale(exact.value), f"{what}: the reference itself is uncertain by {uncertain:.1e}"
    assert found.shape == exact.value.shape, (
        f"{what}: {tuple(found.shape)} entries, expected {tuple(exact.value.shape)}"
    )
    error = (found - exact.value).abs().max().item() if found.numel() else 0.0
    assert error <= allowed, f"{what}: off by {error:.2e}, allowed {allowed:.1e}; found {found}, exact {exact.value}"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_along_a_direction(case: Case) -> None:
    v, _ = case.directions()
    with right_or_refused(case.refused):
        found = jet_derivatives(case.function, case.point(), v, [None] * len(v), ALONG)
        for index in ALONG:
            compare(case, found[index], reference(case)[index], index)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_mixed(case: Case) -> None:
    with right_or_refused(case.refused):
        found = jet_derivatives(case.function, case.point(), *case.directions(), MIXED)
        for index in MIXED:
            compare(case, found[index], reference(case)[index], index)


@pytest.mark.parametrize("case, only", SEVERAL, ids=lambda part: str(part))
def test_one_input_alone(case: Case, only: int) -> None:
    v, w = (alone(d, only) for d in case.directions())
    with right_or_refused(case.refused):
        found = jet_derivatives(case.function, case.point(), v, w, [(3, 0), (2, 1)])
        for index, value in found.items():
            compare(case, value, reference(case, only)[index], index)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_reverse_mode(case: Case) -> None:
    """The gradient of ⟨c, ∂s² f⟩, times w, is ⟨c, ∂s²∂t f⟩."""
    exact = reference(case)[2, 1]
    c = cotangent(case, exact.value.numel())
    v, w = case.directions()
    with right_or_refused(case.refused):
        found = jet_gradient(case.function, case.point(), v, w, (2, 0), c)
    compare(
        case, found.reshape(1), Estimate((c @ exact.value).reshape(1), (c.abs() @ exact.error).reshape(1)), "gradient"
    )


@pytest.mark.parametrize("case", [c for c in CASES if not c.refused], ids=str)
def test_inputs_are_left_alone(case: Case) -> None:
    """The value agrees with the plain function, and the inputs are what they were."""
    x = case.point()
    v, w = case.directions()
    before = [p.clone() for p in x]
    found = jet_derivatives(case.function, x, v, w, [(0, 0)])[0, 0]
    expected = reference_value(case)
    assert all(torch.equal(p, q) for p, q in zip(x, before))
    assert torch.allclose(found, expected, rtol=1e-12, atol=1e-12, equal_nan=True)


def reference_value(case: Case) -> Tensor:
    from tests.oracles.lines import flat

    with torch.no_grad():
        return flat(case.function(*case.point()))
