"""When the verdict that rows are independent is remembered, and when it is found anew."""

from __future__ import annotations

import gc
import io
import weakref
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import apolar as ap
from apolar.evaluation.row_independence import PATIENCE, Verdict

dx, dy = ap.coordinates("x y")
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


def calls(f: Callable[[Tensor], Tensor]) -> tuple[Callable[[Tensor], Tensor], list[int]]:
    """The function, and how often it was called: in a tensor, which no guard looks at."""
    count = torch.zeros(())

    def counted(x: Tensor) -> Tensor:
        with torch.no_grad():
            count.add_(1)
        return f(x)

    return counted, count  # type: ignore[return-value]


def test_a_verdict_is_remembered() -> None:
    """Beside the lifted pass there is no call of f, also where f is made anew."""
    net = Centred()
    f, count = calls(net)
    ap.evaluate(f, X, dx)
    count.zero_()
    for _ in range(10):
        ap.evaluate(f, X, dx)
    assert count == 10
    for n in range(10):
        ap.evaluate(lambda x: f(x), X, dx)
        if n == 0:
            count.zero_()
    assert count == 9


def test_another_batch_is_tried_once() -> None:
    f, count = calls(torch.sin)
    for n, rows in enumerate((6, 5, 6, 5)):
        count.zero_()
        ap.evaluate(f, X[:rows], dx)
        assert (count > 1) == (n < 2)


def test_what_cannot_be_followed_is_tried_again() -> None:
    """At calls further and further apart."""
    held = io.StringIO()
    f, count = calls(lambda x: x.sin() if held else x)
    tried = []
    for call in range(200):
        count.zero_()
        ap.evaluate(f, X, dx)
        if count > 1:
            tried.append(call)
    assert tried[:4] == [0, 2, 5, 10]
    assert max(b - a for a, b in pairwise(tried)) == PATIENCE + 1


def test_a_counter_is_not_tried_in_every_call() -> None:
    class Counting(Centred):
        calls = 0

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            return super().forward(x)

    net = Counting()
    for _ in range(100):
        ap.evaluate(net, X, dx)
    assert net.calls < 150
    net.centre = True
    with pytest.raises(ap.RowCouplingError):
        ap.evaluate(net, X, dx)


def test_patience_ends() -> None:
    verdict = Verdict(left=1)
    due = [n for n in range(1000) if verdict.due()]
    assert due[-1] - due[-2] == PATIENCE + 1
    assert not any(Verdict(left=None).due() for _ in range(1000))


def test_refused_functions_are_not_kept_alive() -> None:
    net = Mean()
    with pytest.raises(ap.RowCouplingError):
        ap.evaluate(net, X, dx)
    held = weakref.ref(net)
    del net
    gc.collect()
    assert held() is None
