"""A function of jets against what it means on plain tensors: derivatives by interpolation, and gradients through them."""

from __future__ import annotations

from tests.oracles.jets import jet_derivatives, jet_gradient
from tests.oracles.lines import Estimate, Function, Index

from .case import Case, cotangent, reference
from .test_derivatives import compare

INDICES: tuple[Index, ...] = ((1, 0), (3, 0), (2, 1))


def derivatives_agree(function: Function, meaning: Case, indices: tuple[Index, ...] = INDICES) -> None:
    """The derivatives of ``function`` are those of ``meaning``, whose plain values the reference samples."""
    v, w = meaning.directions()
    for index, derivative in jet_derivatives(function, meaning.point(), v, w, indices).items():
        compare(meaning, derivative, reference(meaning)[index], index)


def agree(function: Function, meaning: Case) -> None:
    """The derivatives, and the gradients of ∂s²."""
    derivatives_agree(function, meaning)
    exact = reference(meaning)[2, 1]
    v, w = meaning.directions()
    weights = cotangent(meaning, exact.value.numel())
    gradient = jet_gradient(function, meaning.point(), v, w, (2, 0), weights)
    expected = Estimate((weights @ exact.value).reshape(1), (weights.abs() @ exact.error).reshape(1))
    compare(meaning, gradient.reshape(1), expected, "gradient")
