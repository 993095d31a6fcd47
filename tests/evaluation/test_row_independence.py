"""Whether rows are found to be mixed at the points themselves, and when the verdict is found anew."""

from __future__ import annotations

import gc
import io
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import apolar as ap
from apolar.evaluation.row_independence import PATIENCE, SHAPES, Trial, Verdict

C = ap.coordinates("x y")
dx, dy = C
X = torch.rand(6, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


class Centred(nn.Module):
    """Subtracts the mean of all rows where it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.centre = False
        self.options = {"centre": False}
        self.layers = [nn.Identity()]

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x - x.mean(0) if self.centre or self.options["centre"] else x.sin()


class Mean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(0)


MIXED = False


def by_global(x: Tensor) -> Tensor:
    return x - x.mean(0) if MIXED else x.sin()


CHANGES: dict[str, Callable[[Any], Any]] = {
    "an attribute": lambda net: setattr(net, "centre", True),
    "an entry of a dictionary": lambda net: net.options.update(centre=True),
    "an entry of a list": lambda net: net.layers.append(Mean()),
    "a hook": lambda net: net.register_forward_hook(lambda module, inputs, output: output - output.mean(0)),
    "forward of the object": lambda net: setattr(net, "forward", Mean().forward),
}


@pytest.mark.parametrize("use", [lambda net: net, lambda net: lambda x: net(x), lambda net: net.__call__])
@pytest.mark.parametrize("name", CHANGES)
def test_a_verdict_ends_with_what_it_was_found_for(name: str, use: Callable[[nn.Module], Callable[..., Any]]) -> None:
    net = Centred()
    f = use(net)
    ap.evaluate(f, X, dx)
    CHANGES[name](net)
    with pytest.raises(ap.RowCouplingError):
        ap.evaluate(f, X, dx)


def test_what_a_function_closes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    mixed = False

    def f(x: Tensor) -> Tensor:
        return x - x.mean(0) if mixed else x.sin()

    ap.evaluate(f, X, dx)
    mixed = True
    with pytest.raises(ap.RowCouplingError):
        ap.evaluate(f, X, dx)
    ap.evaluate(by_global, X, dx)
    monkeypatch.setitem(globals(), "MIXED", True)
    with pytest.raises(ap.RowCouplingError):
        ap.evaluate(by_global, X, dx)


# ------------------------------------------------------------------------------------------------------ what is seen


def draw(*shape: int) -> Tensor:
    return torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def of_pairs(p: Tensor) -> Tensor:
    return (p[:, :1] ** 2).reshape(-1, 2, 1).sum(1, keepdim=True).expand(-1, 2, 1).reshape(-1, 1)


def of_blocks(p: Tensor) -> Tensor:
    """Attention among every three rows."""
    blocks = p.reshape(-1, 3, 2)
    return nn.functional.scaled_dot_product_attention(blocks, blocks, blocks).reshape(-1, 2)


def first_half(change: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    return lambda p: torch.cat([change(p[: len(p) // 2]), p[len(p) // 2 :]]) ** 2


def one_pair(p: Tensor) -> Tensor:
    return (p**2).sum(1).index_add(0, torch.tensor([1234]), p[777:778, 0])


def above_a_threshold(p: Tensor) -> Tensor:
    return p[:, :1] * torch.relu(p[:, :1].amax(0) - 5.5)


def spread(p: Tensor) -> Tensor:
    return (p - p.mean(0)) ** 2


NORMALISED = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1)).double()
HIGH = torch.tensor([[6.0, 0.1], [1.0, 0.2], [2.0, 0.3], [3.0, 0.4]], dtype=torch.float64)
EQUAL = torch.ones(4, 2, dtype=torch.float64)

COUPLED: dict[str, Callable[[], Any]] = {
    "pairs of rows": lambda: ap.evaluate(of_pairs, X, dx),
    "attention in blocks": lambda: ap.evaluate(of_blocks, X, dx),
    "roll in a half": lambda: ap.evaluate(first_half(lambda p: p.roll(1, 0)), X, dx),
    "cumsum in a half": lambda: ap.evaluate(first_half(lambda p: p.cumsum(0)), X, dx),
    "one pair among 2,000 rows": lambda: ap.evaluate(one_pair, draw(2000, 2), dx),
    "batch normalisation beside dropout": lambda: ap.evaluate(NORMALISED, X, dx),
    "at these points only": lambda: ap.evaluate(above_a_threshold, HIGH, dx),
    "at the second order only": lambda: ap.evaluate(spread, EQUAL, dx**2),
    "at the fourth order only": lambda: ap.evaluate(lambda p: spread(p) ** 2, EQUAL, C.bilaplacian),
    "a mean over very many rows": lambda: ap.evaluate(lambda p: p - p.mean(0), draw(100_000, 2), dx),
    "float32": lambda: ap.evaluate(of_pairs, X.float(), C.laplacian),
    "the second of two batch axes": lambda: ap.evaluate(lambda p: p.cumsum(1), draw(3, 4, 2), dx),
    "rows of another block of a grid": lambda: ap.evaluate(lambda p: p.roll((1, 1), (0, 1)), draw(3, 4, 2), dx),
    "one of several coordinates": lambda: ap.evaluate(lambda x, y: x * y.roll(1, 0), (draw(5, 1), draw(5, 1)), dy),
    "coordinates without an axis": lambda: ap.evaluate(lambda x, y: x * y.flip(0), (draw(5), draw(5)), dx, dy),
    "given directions": lambda: ap.evaluate(of_pairs, X, dx, directions={"x": draw(6, 2), "y": draw(2)}),
    "one of several results": lambda: ap.evaluate(lambda p: {"a": p, "b": p.flip(0)}, X, dx),
    "chunks": lambda: ap.evaluate(of_pairs, X, dx, chunk_size=2),
    "chunks by memory": lambda: ap.evaluate(of_pairs, X, dx, max_memory=2_000),
    "entries": lambda: ap.derivative(lambda x: x.flip(0) ** 2)(draw(5)),
    "entries of a table": lambda: ap.derivative(lambda x: x.flip(1) ** 2)(draw(1, 5)),
    "entries, by high orders": lambda: ap.taylor(lambda x: (x - x.mean()) ** 6, 6)(EQUAL),
    "a transform of fields": lambda: ap.laplacian(of_pairs)(X),
    "a direction": lambda: ap.directional(lambda p: p.flip(0), draw(2))(X),
    "a captured operator": lambda: ap.compile(dx)(of_pairs, X),
    "a residual": lambda: ap.residual("x y")(lambda u: u.x - u)(of_pairs, X),
    "an expression of a residual": lambda: ap.residual("x y")(lambda u: ((u - u.mean()) ** 2).x)(torch.sin, X),
    "inside of reverse mode": lambda: torch.func.grad(lambda w: ap.evaluate(lambda p: of_pairs(w * p), X, dx).sum())(
        X[0]
    ),
    "inside of vmap": lambda: torch.func.vmap(lambda p: ap.evaluate(lambda p: p - p.mean(0), p, dx))(draw(3, 4, 2)),
    "inside of another pass": lambda: ap.evaluate(lambda p: ap.evaluate(of_pairs, p, dx), X, dx),
    "over a moving coefficient": lambda: ap.jacobian(lambda a: ap.evaluate(lambda p: of_pairs(a * p), X, dx))(X[0]),
    "a check": lambda: ap.check(of_pairs, X, dx),
}


@pytest.mark.parametrize("name", COUPLED)
def test_mixed_rows_are_seen(name: str) -> None:
    with pytest.raises((ap.RowCouplingError, ap.OperatorError), match=r"mixes rows|mixes points"):
        COUPLED[name]()


GENERATOR, NOISE, PLACES = torch.Generator().manual_seed(0), np.random.default_rng(0), draw(6, 1)


class Counting(nn.Module):
    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x**2 * self.calls


APART: dict[str, Callable[[], Any]] = {
    "dropout": lambda: ap.evaluate(nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.5), nn.Tanh()).double(), X, C.laplacian),
    "a generator": lambda: ap.evaluate(lambda p: p**2 * torch.rand(6, 1, generator=GENERATOR), X, dx**2),
    "noise of NumPy": lambda: ap.evaluate(lambda p: p**2 * torch.from_numpy(NOISE.random((6, 1))), X, dx**2),
    "a counter": lambda: ap.evaluate(Counting(), X, dx**2),
    "a tensor with a row for each point": lambda: ap.evaluate(lambda p: p**2 * PLACES, X, dx**2),
    "a domain around the points": lambda: ap.evaluate(
        lambda p: torch.linalg.cholesky(torch.diag_embed(p - 0.97)), EQUAL, dx
    ),
    "batch normalisation in eval mode": lambda: ap.evaluate(nn.BatchNorm1d(2).double().eval(), X, dx**2),
    "a mean in an axis that no operator needs": lambda: ap.evaluate(lambda p: p[:, :1] + p[:, 1:].mean(0), X, dx),
    "an axis that all rows share": lambda: ap.evaluate(lambda x, y: x * y, (X[:, :1], X[:1, 1:]), dx, dy),
    "a result of 0 and rounding": lambda: ap.evaluate(lambda p: (30 * p).sin() ** 2 + (30 * p).cos() ** 2, X, dx**4),
    "a network in less precision": lambda: ap.evaluate(lambda p: torch.sin(p.float()).double(), draw(2000, 2), dx**2),
    "few digits left": lambda: ap.taylor(lambda x: torch.expm1(x) / x, 4)(1e-2 + draw(50) / 10),
    "entries at a high order": lambda: ap.taylor(lambda x: torch.exp(torch.sin(x) * x) / (1 + x * x), 12)(
        draw(50).float()
    ),
    "infinite and none": lambda: ap.evaluate(lambda p: torch.log(p - 0.5) + 1 / (p - p), X, dx),
    "points far away": lambda: ap.evaluate(lambda p: torch.sin(1e-8 * p), 1e8 + X, C.laplacian),
    "points at 0": lambda: ap.evaluate(torch.sin, 0 * X, C.laplacian),
    "large and small": lambda: ap.evaluate(lambda p: torch.cat([1e20 * p, 1e-300 * p], -1) ** 1, X, dx),
    "complex points": lambda: ap.evaluate(lambda p: p**3, torch.complex(X, X), dx**2),
}


@pytest.mark.parametrize("name", APART)
@pytest.mark.parametrize("repetition", range(3))
def test_no_false_alarm(name: str, repetition: int) -> None:
    APART[name]()


def test_orders_that_a_coupling_does_not_reach_are_right() -> None:
    """At equal points the first derivative of (x − mean)² is 0, with or without the mean."""
    assert torch.equal(ap.evaluate(spread, EQUAL, dx), torch.zeros_like(EQUAL))


def test_what_is_0_in_a_direction_is_not_asked_for() -> None:
    assert torch.equal(ap.evaluate(of_pairs, X, dy), torch.zeros(6, 1, dtype=torch.float64))


# ------------------------------------------------------------------------------------------------------ side effects


REFUSING: dict[str, Callable[[nn.Module], Any]] = {
    "evaluate": lambda net: ap.evaluate(lambda p: net(p), X, dx),
    "with a limit": lambda net: ap.evaluate(net, X, dx, max_memory=100_000),
    "in chunks": lambda net: ap.evaluate(net, X, dx, chunk_size=3),
    "a transform": lambda net: ap.laplacian(net)(X),
    "a residual": lambda net: ap.residual("x y")(lambda u: u.x)(net, X),
    "a captured operator": lambda net: ap.compile(dx)(net, X),
    "a check": lambda net: ap.check(net, X, dx),
}


@pytest.mark.parametrize("name", REFUSING)
def test_a_refused_call_leaves_modules_and_random_numbers_as_they_were(name: str) -> None:
    net = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1)).double()
    before, random = {k: v.clone() for k, v in net.state_dict().items()}, torch.get_rng_state()
    with pytest.raises(ap.RowCouplingError):
        REFUSING[name](net)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)


def test_a_test_draws_no_random_numbers_of_the_user() -> None:
    random, noise = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    ap.evaluate(torch.sin, X, dx)
    assert torch.equal(torch.get_rng_state(), random)
    assert np.array_equal(np.random.get_state()[1], noise)  # noqa: NPY002


def tested(monkeypatch: pytest.MonkeyPatch) -> list[Trial]:
    """The trials that are made from here on."""
    found: list[Trial] = []
    enter = Trial.__enter__
    monkeypatch.setattr(Trial, "__enter__", lambda self: found.append(self) or enter(self))
    return found


SAME: dict[str, Callable[[Callable[[Tensor], Any]], Any]] = {
    "the Laplacian": lambda f: ap.evaluate(f, X, 1, dx, C.laplacian),
    "a series": lambda f: ap.taylor(f, 12)(X),
    "a gradient": lambda f: torch.autograd.grad(
        ap.evaluate(f, (x := X.clone().requires_grad_()), C.laplacian).sum(), x
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_numbers_are_those_of_a_call_without_a_test(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values bit by bit; gradients are sums of as many terms more that are 0."""
    trials = tested(monkeypatch)

    def f(p: Tensor) -> Tensor:
        return torch.exp(torch.sin(p) * p) / (1 + p * p)

    counts, results = [], []
    for _ in range(3):
        results.append(SAME[name](f))
        counts.append(len(trials))
    assert counts == [1, 2, 2]
    for a, b in zip(results[0], results[2], strict=True):
        assert torch.equal(a, b) if name != "a gradient" else torch.allclose(a, b, rtol=1e-14, atol=1e-15)


# ------------------------------------------------------------------------------------------------------ when it is tested


def test_f_is_called_once_in_every_call() -> None:
    net = nn.Sequential(nn.Linear(2, 8), nn.Tanh()).double()
    count = torch.zeros(())  # which no guard looks at

    def f(x: Tensor) -> Tensor:
        count.add_(1)
        return net(x)

    for _ in range(10):
        ap.evaluate(f, X, dx)
    assert count == 10


def schedule(monkeypatch: pytest.MonkeyPatch, call: Callable[[], Any], calls: int) -> list[int]:
    trials = tested(monkeypatch)
    found = []
    for n in range(calls):
        call()
        if trials:
            found.append(n)
        trials.clear()
    return found


def test_tests_lie_further_and_further_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    net = nn.Sigmoid()
    found = schedule(monkeypatch, lambda: ap.evaluate(net, X, dx), 300)
    assert found[:5] == [0, 1, 3, 6, 11]
    assert found[-1] - found[-2] == PATIENCE + 1


def test_functions_made_anew_share_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    net = nn.Tanh()
    assert schedule(monkeypatch, lambda: ap.evaluate(lambda x: net(x), X, dx), 10) == [0, 1, 3, 6]


def test_what_cannot_be_followed_and_what_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    held, net = io.StringIO(), Counting()
    assert schedule(monkeypatch, lambda: ap.evaluate(lambda x: net(x) if held else x, X, dx), 10) == [0, 1, 3, 6]


def test_other_batches_and_operators_are_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = tested(monkeypatch)
    for points, operators in ((X, [dx]), (X[:5], [dx]), (X[:5], [dx**2]), (X[:5], [dy])):
        trials.clear()
        for _ in range(3):
            ap.evaluate(torch.cos, points, *operators)
        assert len(trials) == 2


def test_the_call_after_a_refusal_is_tested() -> None:
    for points in (HIGH - 5, HIGH, HIGH, HIGH):
        with pytest.raises(ap.RowCouplingError) if points is HIGH else nullcontext():
            ap.evaluate(above_a_threshold, points, dx)


def test_batches_of_ever_other_shapes_share_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    net, rows = nn.Softplus(), iter(range(2, 1000))
    found = schedule(monkeypatch, lambda: ap.evaluate(net, draw(next(rows), 2), dx), 300)
    assert found[:SHAPES] == list(range(SHAPES))
    assert found[-1] - found[-2] == PATIENCE + 1


def test_a_pass_that_is_checkpointed_saves_the_same_when_it_is_run_again() -> None:
    net, x = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1)).double(), X.clone().requires_grad_()
    for _ in range(6):
        y = checkpoint(lambda p: ap.evaluate(net, p, C.laplacian), x, use_reentrant=False)
        (found,) = torch.autograd.grad(y.sum(), x)
    (expected,) = torch.autograd.grad(ap.evaluate(net, x, C.laplacian).sum(), x)
    assert torch.allclose(found, expected, rtol=1e-12)


def test_patience_ends() -> None:
    verdict = Verdict()
    for _ in range(10):
        verdict = verdict.again()
    assert verdict.patience == PATIENCE
    assert [verdict.holds() for _ in range(PATIENCE + 1)] == [True] * PATIENCE + [False]


def test_refused_functions_are_not_kept_alive() -> None:
    net = Mean()
    with pytest.raises(ap.RowCouplingError):
        ap.evaluate(net, X, dx)
    held = weakref.ref(net)
    del net
    gc.collect()
    assert held() is None
