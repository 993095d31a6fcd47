# ruff: noqa: E501
"""The table of facts is what the generator gives, and each of its lines is confirmed by numbers from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import apolar as ap
from apolar.rules import facts
from apolar.rules.facts import CONDITIONS, Fact, all_facts, by_function, by_name, by_node, found_in, name_of, verified

from .facts import about, by_forward, by_reverse, measure, reached
from .reach import listed
from .tables.pytorch import PROBES, Probe

same_version = pytest.mark.skipif(
    not torch.__version__.startswith(found_in()), reason=f"the facts were found in torch {found_in()}"
)

# ------------------------------------------------------------------------------------------------------------- the table


def test_the_list_is_up_to_date() -> None:
    assert listed(reached()) <= verified().keys(), "run: python -m tests.rules.facts"


@same_version
@pytest.mark.parametrize("probe", PROBES, ids=str)
def test_the_table_has_what_is_measured(probe: Probe) -> None:
    """Orders, condition and nodes; mpmath says what is right."""
    found = measure(probe)
    (fact,) = (f for f in all_facts() if about(f) == about(found) and set(found.outputs) <= set(f.outputs))
    assert set(found.nodes) <= set(fact.nodes)
    assert fact.convention == probe.convention


@same_version
def test_everything_in_the_table_is_measured() -> None:
    assert {f.operator for f in all_facts()} == {probe.operator for probe in PROBES}
    assert {f.where for f in all_facts()} == {probe.where for probe in PROBES}


def test_conditions_are_used() -> None:
    assert {f.where for f in all_facts() if f.where} == CONDITIONS.keys()


# ----------------------------------------------------------------------------------------- the numbers, written down by hand

X, V, W = torch.tensor([[0.5, -1.2, 2.0, 0.3], [1.0, -0.5, 0.3, 0.7], [1.0, 2.0, -1.0, 0.5]], dtype=torch.float64)


def stacked(*entries: Tensor) -> Tensor:
    return torch.stack(entries)


KNOWN: dict[str, tuple[Callable[[Tensor], Tensor], float, str, int, float]] = {
    "torch.special.i1": (torch.special.i1, 0.0, "reverse", 3, 3 / 8),
    "torch.i0": (torch.i0, 0.0, "reverse", 4, 3 / 8),
    "torch.sinc": (torch.sinc, 0.0, "forward", 2, -(math.pi**2) / 3),
    "torch.logcumsumexp": (lambda s: torch.logcumsumexp(stacked(s, -s), 0)[1], 0.5, "reverse", 3, -2 * math.tanh(0.5) / math.cosh(0.5) ** 2),
    "torch.linalg.det": (lambda s: torch.linalg.det(stacked(s, 0 * s, 0 * s, s).reshape(2, 2)), 0.5, "forward", 2, 2.0),
    "torch.linalg.slogdet": (lambda s: torch.linalg.slogdet(s * torch.eye(2)).logabsdet, 0.5, "forward", 2, -8.0),
    "torch.logdet": (lambda s: torch.logdet(s * torch.eye(2)), 0.5, "forward", 2, -8.0),
    "torch.linalg.solve": (lambda s: torch.linalg.solve(s.reshape(1, 1), torch.ones(1, dtype=s.dtype))[0], 0.5, "forward", 2, 16.0),
    "torch.linalg.eigvals": (lambda s: torch.linalg.eigvals(stacked(s, 1 + 0 * s, 1 + 0 * s, -s).reshape(2, 2)).real.max(), 1.0, "forward", 3, -3 / 2**2.5),
    "torch.prod": (lambda s: s.expand(3).prod(), 0.0, "forward", 3, 6.0),
    "torch.cumprod": (lambda s: s.expand(2).cumprod(0)[1], 0.0, "forward", 2, 2.0),
    "torch.pow": (lambda s: (1 + s) ** s, 0.0, "reverse", 2, 2.0),
    "torch.special.bessel_j0": (torch.special.bessel_j0, 0.0, "forward", 2, -0.5),
    "torch.special.chebyshev_polynomial_t": (lambda s: torch.special.chebyshev_polynomial_t(s, 2), 0.5, "forward", 1, 2.0),
    "torch.logaddexp": (lambda s: torch.logaddexp(s, -1000 + 0 * s), 0.5, "reverse", 2, 0.0),
    "torch.linalg.vector_norm": (lambda s: torch.linalg.vector_norm(stacked(1 + 0 * s, s), 4), 0.0, "reverse", 4, 6.0),
}  # fmt: skip
"""By name: a function of a number, where, a mode and an order at which PyTorch is wrong, and what is right."""


@pytest.mark.parametrize("name", KNOWN)
def test_known_defects(name: str) -> None:
    """PyTorch is wrong, apolar is right, and the table says so."""
    function, at, mode, order, right = KNOWN[name]
    x = torch.tensor(at, dtype=torch.float64)
    found = {"forward": by_forward, "reverse": by_reverse}[mode](function, x, order)
    if torch.__version__.startswith(found_in()):
        assert not abs(found.item() - right) < 1e-3
    torch.testing.assert_close(ap.derivative(function, order=order)(x).item(), right, rtol=1e-9, atol=1e-9)
    assert any(0 < getattr(fact, mode) <= order for fact in by_name(name))


def test_normalisation_in_elementary_functions() -> None:
    """The third derivative in reverse mode, and the second forward, of layer_norm and of the same by hand."""

    def by_hand(s: Tensor) -> Tensor:
        y = X + s * V
        y = y - y.mean()
        return W @ (y / (y.square().mean() + 1e-5).sqrt())

    def layer_norm(s: Tensor) -> Tensor:
        return W @ F.layer_norm(X + s * V, (4,))

    def batch_norm(s: Tensor) -> Tensor:
        return W @ F.batch_norm((X + s * V)[:, None], None, None, training=True)[:, 0]

    def instance_norm(s: Tensor) -> Tensor:
        return W @ F.instance_norm((X + s * V)[None, None])[0, 0]

    zero = torch.zeros((), dtype=torch.float64)
    right = [by_reverse(by_hand, zero, k).item() for k in range(4)]
    for f in (layer_norm, batch_norm, instance_norm):
        assert ap.taylor(f, 3)(zero)[3].item() == pytest.approx(right[3], rel=1e-9)
        if torch.__version__.startswith(found_in()):
            assert by_forward(f, zero, 1).item() == pytest.approx(right[1], rel=1e-9)
            assert by_forward(f, zero, 2).item() != pytest.approx(right[2], rel=1e-3)
            assert by_reverse(f, zero, 2).item() == pytest.approx(right[2], rel=1e-9)
            assert by_reverse(f, zero, 3).item() != pytest.approx(right[3], rel=1e-3)


# --------------------------------------------------------------------------------------------------------- what is published

PUBLISHED: dict[str, list[str]] = {
    "torch.batch_norm": ["forward wrong from order 2, reverse wrong from order 3 in training"],
    "torch.nn.functional.instance_norm": ["forward wrong from order 2, reverse wrong from order 3 in training"],
    "torch.native_batch_norm": [
        "forward wrong from order 2, reverse wrong from order 3 in training",
        "forward and reverse wrong from order 1 in training (outputs 1, 2)",
    ],
    "torch.layer_norm": ["forward wrong from order 2, reverse wrong from order 3"],
    "torch.special.i1": [
        "forward and reverse wrong from order 3 at 0",
        "forward and reverse wrong from order 2 near 0",
    ],
    "torch.linalg.det": ["forward wrong from order 2", "reverse wrong from order 2 where the matrix is singular"],
    "torch.linalg.eigh": ["forward and reverse different from order 1 where one triangle moves without the other"],
    "torch.tanh": [],
    "torch.Tensor.mT.__get__": [],
    "torch.nn.functional.cosine_similarity": [],
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_is_published(name: str) -> None:
    assert sorted(map(str, by_name(name))) == sorted(PUBLISHED[name])


SPELLINGS = [
    ("torch.layer_norm", "torch.nn.functional.layer_norm"),
    ("torch.batch_norm", "torch.nn.functional.batch_norm", "torch.instance_norm", "torch.nn.functional.instance_norm"),
    ("torch.i0", "torch.special.i0", "torch.Tensor.i0", "torch.Tensor.i0_"),
    ("torch.sinc", "torch.special.sinc", "torch.Tensor.sinc", "torch.Tensor.sinc_"),
    ("torch.det", "torch.linalg.det", "torch.Tensor.det"),
    ("torch.slogdet", "torch.linalg.slogdet", "torch.Tensor.slogdet", "torch.logdet", "torch.Tensor.logdet"),
    ("torch.linalg.solve", "torch.linalg.solve_ex", "torch.linalg.tensorsolve"),
    ("torch.prod", "torch.Tensor.prod"),
    ("torch.cumprod", "torch.Tensor.cumprod", "torch.Tensor.cumprod_"),
    ("torch.pow", "torch.Tensor.pow", "torch.Tensor.__pow__", "torch.Tensor.__rpow__", "torch.float_power"),
    ("torch.logcumsumexp", "torch.Tensor.logcumsumexp"),
    ("torch.linalg.cholesky", "torch.linalg.cholesky_ex"),
]


@pytest.mark.parametrize("names", SPELLINGS, ids=lambda names: names[0])
def test_spellings_of_a_function_share_its_facts(names: tuple[str, ...]) -> None:
    assert by_name(names[0])
    for name in names[1:]:
        assert by_name(name) == by_name(names[0]), name


def test_the_verdict_on_the_value_is_that_of_the_function() -> None:
    """native_layer_norm returns the mean and the deviation besides, which PyTorch takes for constants."""
    own = [fact for fact in by_name("torch.native_layer_norm") if 0 in fact.outputs]
    assert tuple(own) == by_name("torch.nn.functional.layer_norm")
    assert by_node("NativeLayerNormBackward0", 0) == tuple(own)
    assert by_node("NativeLayerNormBackward0", 1) == ()


def test_lookups() -> None:
    assert by_function(F.layer_norm) == by_name("torch.nn.functional.layer_norm")
    assert by_function(torch.linalg.det) == by_name("torch.linalg.det")
    assert by_function(len) == by_name(None) == by_name("torch.no_such_function") == ()
    assert name_of(torch.ops.aten.add.Tensor) == "torch.ops.aten.add"


@pytest.mark.parametrize("training", [True, False])
def test_a_condition_is_read_from_the_graph(training: bool) -> None:
    x = torch.ones(3, 2, requires_grad=True)
    y = torch.native_batch_norm(x, None, None, torch.zeros(2), torch.ones(2), training, 0.1, 1e-5)[0]
    assert y.grad_fn is not None
    (fact,) = by_node(y.grad_fn.name(), 0)
    assert fact.holds_at(y.grad_fn) is training


def test_what_cannot_be_read_holds() -> None:
    x = torch.ones((), requires_grad=True)
    y = torch.special.i1(x)
    assert y.grad_fn is not None
    fact = by_node(y.grad_fn.name(), 0)[0]
    assert not fact.holds_at(y.grad_fn)
    y.backward()
    assert fact.holds_at(y.grad_fn)  # what it saved is freed
    assert fact.holds(object())
    assert not fact.holds(object(), unreadable=False)


def test_names_that_this_torch_lacks_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {"torch": "0", "facts": [], "verified": {"torch.linalg.det": 4, "torch.no_such.function": 4}}
    for cached in (facts.all_facts, facts.verified, facts._by_name):
        monkeypatch.setattr(facts, cached.__name__, cached.__wrapped__)
    monkeypatch.setattr(facts, "_table", lambda: table)
    monkeypatch.setattr("apolar.verification.supported.verified", facts.verified)
    monkeypatch.setattr("apolar.verification.supported.by_name", facts.by_name)
    assert "torch.no_such.function" not in {o.name for o in ap.supported_operators()}


def test_a_fact_says_which_outputs_it_is_about() -> None:
    assert str(Fact("f", (1,), 1, 0)) == "forward wrong from order 1 (outputs 1)"
    assert str(Fact("f", (0, 1), 0, 2, convention=True)) == "reverse different from order 2"
