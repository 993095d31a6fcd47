"""A sample of an operator through jets, against references that share nothing with them; PyTorch's modes beside it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from apolar.errors import UnsupportedOperator
from tests.oracles import chebyshev, nested_forward, nested_reverse
from tests.oracles.jets import jet_derivatives, jet_gradient
from tests.oracles.ladder import scale
from tests.oracles.lines import Estimate, Index, flat, real

from .database import Sample

ORDERS: tuple[Index, ...] = ((1, 0), (2, 0), (3, 0), (4, 0))
INDICES: tuple[Index, ...] = (*ORDERS, (1, 1), (2, 1))
TOLERANCE = 1e-8
"""Of a derivative, relative to its largest entry, at least 1."""

MARGIN = 100
"""How far a reference may be off, in its own estimates of its error."""

CERTAIN = 1e-5
"""An entry whose reference is less certain than this, on the same scale, is not compared."""

KINK = 1e-3
"""An entry with a derivative that is less certain than this has none: nodes on both sides of a kink hide odd orders."""

ROUNDING = 1e-15
"""What a relative change of the inputs by this does to a derivative is no fault of it."""

JUMP = 1e-6
"""An entry that differs so much from the samples around it is at a jump."""

COARSE = 1e-4
"""Results of such a precision, half or bfloat16, jump everywhere."""


@dataclass(frozen=True)
class Verdict:
    """What came out for one sample.

    Attributes:
        sample: its name.
        answer: ``verified``; ``refused`` with UnsupportedOperator; ``wrong``, numbers or another error; ``singular``, where
            no reference exists since the point is one without derivative.
        reason: of a refusal, or what is wrong.
        forward, reverse: the lowest order at which PyTorch's nested forward and reverse mode are wrong here; 0 for none.
    """

    sample: str
    answer: str
    reason: str = ""
    forward: int = 0
    reverse: int = 0


def judge(sample: Sample, indices: Sequence[Index] = INDICES, pytorch: bool = True) -> Verdict:
    """All derivatives of a sample, one by one; the first difference is reported. With ``pytorch`` its own modes as well."""
    try:
        exact = reference(sample, indices)
    except Exception as error:
        return Verdict(str(sample), "singular", f"the reference fails: {brief(error)}")
    forward, reverse = (pytorch and first_wrong(mode, sample, exact) for mode in (forward_mode, reverse_mode))
    try:
        wrong = compare_with(sample, exact)
    except UnsupportedOperator as error:
        return Verdict(str(sample), "refused", str(error), forward, reverse)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return Verdict(str(sample), "wrong", f"{brief(error)} ({where.name}:{where.lineno})", forward, reverse)
    if wrong:
        return Verdict(str(sample), "wrong", wrong, forward, reverse)
    compared = any(bool(certain(e).any()) or not e.value.numel() for e in exact.values())
    return Verdict(str(sample), "verified" if compared else "singular", "", forward, reverse)


def reference(sample: Sample, indices: Sequence[Index] = INDICES) -> dict[Index, Estimate]:
    """From Chebyshev interpolation; entries that are not finite, or whose samples show a kink or a jump, have no derivative."""
    v, w = sample.directions()
    with torch.no_grad():
        value = real(flat(sample.function(*(x.clone() for x in sample.inputs))))
    found = chebyshev.derivatives(sample.function, sample.inputs, v, w, [(0, 0), *indices])
    regular = value.isfinite() & ((found.pop((0, 0)).value - value).abs() <= JUMP * scale(value))
    if torch.finfo(value.dtype).eps > COARSE:
        regular = torch.zeros_like(regular)
    for e in found.values():
        regular = regular & (e.error <= KINK * e.value.abs().clamp(min=1.0))
    return {
        index: Estimate(torch.where(regular, e.value, 0.0), torch.where(regular, e.error, torch.inf))
        for index, e in found.items()
    }


def compare_with(sample: Sample, exact: Mapping[Index, Estimate]) -> str:
    """What differs first: the derivatives in ``exact``, the gradient through them, and those of every variant."""
    v, w = sample.directions()
    found = jet_derivatives(sample.function, sample.inputs, v, w, [(0, 0), *exact])
    value = real(flat(sample.function(*(x.clone() for x in sample.inputs))))
    if not torch.allclose(found[0, 0], value, rtol=1e-12, atol=1e-12, equal_nan=True):
        return f"the value: found {found[0, 0].tolist()}, expected {value.tolist()}"
    for index in exact:
        if compare(found[index], exact[index]):
            nearby = jet_derivatives(sample.function, [x * (1 + ROUNDING) for x in sample.inputs], v, w, [index])
            rounding = (found[index] - nearby[index]).abs().max()
            if difference := compare(found[index], Estimate(exact[index].value, exact[index].error + rounding)):
                return f"{index}: {difference}"
    if certain(exact[2, 1]).all():
        weights = weights_of(sample, exact[2, 1])
        gradient = jet_gradient(sample.function, sample.inputs, v, w, (2, 0), weights)
        if difference := compare(gradient.reshape(1), weighted(exact[2, 1], weights)):
            return f"gradient of {(2, 0)}: {difference}"
    for name, variant in sample.variants.items():
        try:
            variant(*(inputs := [x.clone() for x in sample.inputs]))
        except Exception:
            continue
        if any(x.shape != y.shape for x, y in zip(sample.inputs, inputs)):
            continue  # torch resizes in place
        again = jet_derivatives(variant, sample.inputs, v, w, [(1, 0), (1, 1)])
        for index, derivative in again.items():
            if difference := compare(derivative, exact[index]):
                return f"{name}, {index}: {difference}"
    return ""


def compare(found: Tensor, exact: Estimate) -> str:
    """The largest difference of a certain entry that the tolerance does not allow."""
    if found.shape != exact.value.shape:
        return f"{tuple(found.shape)} entries, expected {tuple(exact.value.shape)}"
    allowed = (MARGIN * exact.error).clamp(min=TOLERANCE * scale(exact.value))
    error = torch.nan_to_num((found - exact.value).abs(), nan=torch.inf)
    wrong = certain(exact) & (error > allowed)
    if not wrong.any():
        return ""
    worst = int(torch.where(wrong, error / allowed, 0.0).argmax())
    expected = f"{exact.value[worst]:.10g} ± {exact.error[worst]:.1e}"
    return f"found {found[worst]:.10g}, expected {expected} ({int(wrong.sum())} of {len(wrong)} entries)"


def certain(exact: Estimate) -> Tensor:
    """Where the reference can tell right from wrong."""
    return MARGIN * exact.error <= CERTAIN * scale(exact.value)


def weights_of(sample: Sample, exact: Estimate) -> Tensor:
    """Random output weights."""
    generator = torch.Generator().manual_seed(len(str(sample)))
    return 2 * torch.rand(len(exact.value), generator=generator, dtype=torch.float64) - 1


def weighted(exact: Estimate, weights: Tensor) -> Estimate:
    """⟨weights, derivative⟩ with its error."""
    return Estimate((weights @ exact.value).reshape(1), (weights.abs() @ exact.error).reshape(1))


Mode = Callable[[Sample, int, Estimate], tuple[Tensor, Estimate]]
"""A derivative of some order by PyTorch, and the reference to compare it with."""


def first_wrong(mode: Mode, sample: Sample, exact: Mapping[Index, Estimate]) -> int:
    """The lowest order at which a mode of PyTorch gives wrong numbers; 0 where none does, or it refuses before."""
    nearby = replace(sample, inputs=tuple(x * (1 + ROUNDING) for x in sample.inputs))
    for order in range(1, 5):
        try:
            found, reference = mode(sample, order, exact[order, 0])
            if compare(found, reference):
                rounding = torch.nan_to_num((found - mode(nearby, order, exact[order, 0])[0]).abs().max(), nan=0.0)
                if compare(found, Estimate(reference.value, reference.error + rounding)):
                    return order
        except Exception:
            return 0
    return 0


def forward_mode(sample: Sample, order: int, exact: Estimate) -> tuple[Tensor, Estimate]:
    """PyTorch's nested forward mode, entry by entry."""
    v, _ = sample.directions()
    return nested_forward.derivative(sample.function, sample.inputs, v, order), exact


def reverse_mode(sample: Sample, order: int, exact: Estimate) -> tuple[Tensor, Estimate]:
    """PyTorch's nested reverse mode, of all entries at once; nothing where one of them is uncertain."""
    if not certain(exact).all():
        return exact.value, exact
    v, _ = sample.directions()
    weights = weights_of(sample, exact)
    found = nested_reverse.derivative(sample.function, sample.inputs, v, [None] * len(v), (order, 0), weights)
    return found.reshape(1), weighted(exact, weights)


def brief(error: BaseException) -> str:
    """The first line of an error."""
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
