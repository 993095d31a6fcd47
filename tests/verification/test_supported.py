"""The list of operators: what stands in it exists, has a rule, and is what it says."""

from __future__ import annotations

import functools
from collections import Counter

import pytest
import torch

import apolar as ap
from apolar.engine.jet import RULES
from apolar.rules.decomposition import decomposed

LISTED = ap.supported_operators()
BY_NAME = {o.name: o for o in LISTED}

EXPECTED: dict[str, str] = {
    "torch.tanh": "elementwise",
    "torch.Tensor.tanh": "elementwise",
    "torch.erf": "elementwise",
    "torch.nn.functional.gelu": "elementwise",
    "torch.special.bessel_j0": "elementwise",
    "torch.sum": "linear",
    "torch.Tensor.mean": "linear",
    "torch.reshape": "linear",
    "torch.Tensor.permute": "linear",
    "torch.cumsum": "linear",
    "torch.fft.rfft": "linear",
    "torch.mul": "bilinear",
    "torch.outer": "bilinear",
    "torch.argmax": "constant",
    "torch.floor": "constant",
    "torch.sign": "constant",
}
PRESENT = (
    "torch.add", "torch.div", "torch.pow", "torch.matmul", "torch.einsum", "torch.where", "torch.maximum", "torch.clamp",
    "torch.sort", "torch.gather", "torch.cat", "torch.stack", "torch.softmax", "torch.logsumexp", "torch.linalg.solve",
    "torch.linalg.det", "torch.linalg.inv", "torch.linalg.cholesky", "torch.linalg.slogdet", "torch.nn.functional.linear",
    "torch.nn.functional.layer_norm", "torch.nn.functional.conv2d", "torch.nn.functional.scaled_dot_product_attention",
    "torch.embedding", "torch.constant_pad_nd", "torch.norm", "torch.split", "torch.Tensor.__getitem__",
)  # fmt: skip
DERIVATIVE_ZERO = "constant"


def test_is_sorted_and_without_repetition() -> None:
    assert sorted(LISTED) == LISTED
    assert not [name for name, count in Counter(o.name for o in LISTED).items() if count > 1]


@pytest.mark.parametrize("name", EXPECTED)
def test_kinds(name: str) -> None:
    assert BY_NAME[name].rule == EXPECTED[name]


@pytest.mark.parametrize("name", PRESENT)
def test_what_networks_need_is_there(name: str) -> None:
    assert BY_NAME[name].rule != DERIVATIVE_ZERO


def test_every_name_can_be_found_in_torch() -> None:
    for operator in LISTED:
        found = functools.reduce(getattr, operator.name.split(".")[1:], torch)
        assert callable(found), operator.name


def test_names_are_those_that_users_write() -> None:
    """torch.einsum, although PyTorch keeps it in torch.functional."""
    assert not [o.name for o in LISTED if o.name.startswith(("torch.functional.", "torch._"))]


def test_every_operator_has_its_rule() -> None:
    for operator in LISTED:
        function = functools.reduce(getattr, operator.name.split(".")[1:], torch)
        assert function in RULES or decomposed(function), operator.name


def test_kinds_are_those_that_the_documentation_names() -> None:
    kinds = {"elementwise", "linear", "bilinear", "composite", "selection", "constant", "own rule", "decomposition"}
    assert {o.rule for o in LISTED} == kinds


def test_what_is_refused_is_not_listed() -> None:
    for name in ("torch.Tensor.detach", "torch.Tensor.item", "torch.Tensor.numpy", "torch.Tensor.backward"):
        assert name not in BY_NAME


def test_orders_are_those_of_the_tests() -> None:
    """Most operators are compared with an independent reference, to order 4; those that say so have a rule."""
    assert {o.verified_order for o in LISTED} <= {0, 4}
    assert BY_NAME["torch.tanh"].verified_order == 4
    differentiable = [o for o in LISTED if o.rule != DERIVATIVE_ZERO]
    assert sum(o.verified_order > 0 for o in differentiable) > len(differentiable) / 2


def test_the_list_is_a_copy() -> None:
    ap.supported_operators().clear()
    assert ap.supported_operators() == LISTED
