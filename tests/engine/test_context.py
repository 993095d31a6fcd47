"""Who looks on, and what may be done then."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.utils._python_dispatch import TorchDispatchMode

import apolar as ap
from apolar.engine.context import (
    Context,
    begin,
    capturing,
    may_wait,
    only_reverse_mode,
    unobserved,
    values_decide,
    values_readable,
)
from apolar.engine.jet import Jet

C = ap.coordinates("x y")
dx, dy = C
X = torch.tensor([[0.3, -0.7], [1.1, 0.4]], dtype=torch.float64)

Ask = Callable[[Tensor], None]


class PassOn(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


def asking(ask: Ask) -> Callable[[Tensor], Tensor]:
    """A function that asks when it is called."""

    def f(x: Tensor) -> Tensor:
        ask(x)
        return (x * x).sum(-1)

    return f


def total(ask: Ask) -> Callable[[Tensor], Tensor]:
    f = asking(ask)
    return lambda x: f(x).sum()


def in_forward_mode(ask: Ask) -> None:
    with forward_ad.dual_level():
        ask(forward_ad.make_dual(X, X))


def in_a_mode(ask: Ask) -> None:
    with PassOn():
        ask(X)


def while_capturing(ask: Ask) -> None:
    token = capturing.set(True)
    try:
        ask(X)
    finally:
        capturing.reset(token)


def while_exporting(ask: Ask) -> None:
    torch.export.export(Asking(ask), (X,), strict=False)


class Asking(torch.nn.Module):
    def __init__(self, ask: Ask) -> None:
        super().__init__()
        self.f = asking(ask)

    def forward(self, x: Tensor) -> Tensor:
        return self.f(x)


YES, NO = True, False
SITUATIONS: dict[str, tuple[Callable[[Ask], Any], tuple[bool, bool, bool, bool, bool]]] = {
    # who looks on: may values be read, decide; only reverse mode, nobody sees single operations; may operations wait
    "nobody": (lambda ask: ask(X), (YES, YES, YES, YES, YES)),
    "nobody, without gradients": (torch.no_grad()(lambda ask: ask(X)), (YES, YES, YES, YES, YES)),
    "torch.func.grad": (lambda ask: torch.func.grad(total(ask))(X), (NO, YES, NO, NO, NO)),
    "torch.func.jvp": (lambda ask: torch.func.jvp(asking(ask), (X,), (X,)), (NO, YES, NO, NO, NO)),
    "vmap": (lambda ask: torch.func.vmap(asking(ask))(X), (NO, NO, NO, NO, NO)),
    "grad in vmap": (lambda ask: torch.func.vmap(torch.func.grad(asking(ask)))(X), (NO, NO, NO, NO, NO)),
    "forward mode": (in_forward_mode, (YES, YES, NO, NO, YES)),
    "a mode": (in_a_mode, (YES, YES, YES, NO, YES)),
    "torch.jit.trace": (lambda ask: torch.jit.trace(asking(ask), X, check_trace=False), (YES, YES, YES, NO, YES)),
    "ap.compile": (while_capturing, (NO, NO, YES, YES, YES)),
    "torch.export": (while_exporting, (NO, NO, YES, NO, YES)),
    "a pass": (lambda ask: ap.evaluate(asking(ask), X, dx), (NO, YES, YES, YES, YES)),
}


@pytest.mark.filterwarnings("ignore:.torch.jit.*is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", SITUATIONS)
def test_who_looks_on(name: str) -> None:
    run, expected = SITUATIONS[name]
    answers: list[tuple[bool, ...]] = []

    def ask(x: Tensor) -> None:
        answers.append((values_readable(x), values_decide(), only_reverse_mode(), unobserved(), may_wait()))

    run(ask)
    assert answers[0] == expected


ASKED_HERE = {"dual_level", "dispatch_modes", "is_tracing", "is_compiling"}


def test_nobody_asks_elsewhere() -> None:
    """What the questions consist of is read by them alone, so that no list of conditions stands beside them."""
    source = Path(ap.__file__).parent
    known = {source / "engine" / "context.py", source / "engine" / "torch_private.py"}
    for path in set(source.rglob("*.py")) - known:
        tree = ast.walk(ast.parse(path.read_text()))
        used = {n.id if isinstance(n, ast.Name) else n.attr for n in tree if isinstance(n, (ast.Name, ast.Attribute))}
        assert not used & ASKED_HERE, path


# ------------------------------------------------------------------------------------------------------------ of a whole pass


def contexts(run: Callable[[Callable[..., Tensor]], Any]) -> list[Context]:
    """Those of the jets that a function is given."""
    found: list[Context] = []

    def f(*points: Tensor) -> Tensor:
        found.extend(x.context for x in points if isinstance(x, Jet))
        return sum((x * x).sum(-1, keepdim=True) for x in points)  # type: ignore[return-value]

    run(f)
    return found


def test_the_jets_of_a_pass_share_its_context() -> None:
    first, second = contexts(lambda f: ap.evaluate(f, (X[:, :1], X[:, 1:]), dx * dy))
    assert first is second
    assert (first.depth, first.recorded, first.checked) == (0, True, None)


def test_passes_inside_of_each_other_have_rising_numbers() -> None:
    inner: list[Context] = []

    def f(x: Tensor) -> Tensor:
        inner.extend(contexts(lambda g: ap.evaluate(g, x, dy)))
        return (x * x).sum(-1)

    (outer, *_) = contexts(lambda g: ap.evaluate(lambda x: f(x) + g(x).squeeze(-1), X[:1], dx))
    assert inner[0].number > outer.number
    assert begin().number > inner[0].number


def test_what_holds_at_the_beginning() -> None:
    with torch.no_grad():
        (without,) = contexts(lambda f: ap.evaluate(f, X, dx))
    assert not without.recorded
    (batched,) = contexts(lambda f: torch.func.vmap(lambda x: ap.evaluate(f, x, dx))(X))
    assert batched.depth == 1
    (checked,) = contexts(lambda f: ap.evaluate(f, X, dx, check_finite=True))
    assert checked.checked is not None


def test_a_pass_inside_of_a_checked_one_is_checked_for_all_its_points() -> None:
    """Also for those that are plain tensors."""
    found = contexts(lambda f: ap.evaluate(lambda x: ap.jvp(f, (X[:1], x), (x, x))[1], X[:1], dx, check_finite=True))
    assert len(found) == 2
    assert all(c.checked is not None for c in found)
