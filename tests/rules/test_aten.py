"""ATen operators on jets: what is reached below torch's own functions means the same, at every order."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_map

import apolar as ap
from apolar.engine.jet import RULES, beneath
from apolar.errors import DetachedError, UnsupportedOperator
from apolar.rules.decomposition import torch_function
from tests.oracles.jets import jet_derivatives
from tests.oracles.lines import Function

from .agreement import agree, derivatives_agree
from .case import case
from .tables.aten import BACKWARD, COMPOSITES, SAME

aten: Any = torch.ops.aten
OPERATORS = {**SAME, **{f"{name} backward": line for name, line in BACKWARD.items()}}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_mean_what_torch_says(name: str) -> None:
    operator, meaning, inputs = OPERATORS[name]
    agree(operator, case(f"aten: {name}", meaning, *inputs))


@pytest.mark.parametrize("name", COMPOSITES)
def test_composites_through_their_parts(name: str) -> None:
    function, inputs = COMPOSITES[name]
    agree(lambda *x: beneath(function, *x), case(f"composite: {name}", function, *inputs))


UNDER_VMAP = [name for name in COMPOSITES if name not in ("column_stack", "lstm_cell")]
"""The others have no batching rule in torch."""


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("name", UNDER_VMAP)
def test_composites_under_vmap(name: str) -> None:
    """At a point and at another one."""
    function, inputs = COMPOSITES[name]

    def one_by_one(*x: Tensor) -> Any:
        return tree_map(lambda *parts: torch.stack(parts), function(*x), function(*(0.9 * p.flip(0) for p in x)))

    def under_vmap(*x: Tensor) -> Any:
        return torch.func.vmap(function)(*(torch.stack([p, 0.9 * p.flip(0)]) for p in x))

    derivatives_agree(under_vmap, case(f"vmap: {name}", one_by_one, *inputs), ((2, 1),))


# ----------------------------------------------------------------------------------------------------------- how they are found

MEANINGS: dict[Any, Any] = {
    aten.add.Tensor: torch.add,
    aten.add: torch.add,
    aten.tanh.default: torch.tanh,
    aten.adaptive_max_pool2d.default: torch._C._nn.adaptive_max_pool2d,
    aten.gelu.default: torch._C._nn.gelu,
    aten.mm.default: torch.mm,
    torch.sin: torch.sin,
}


@pytest.mark.parametrize("operator", MEANINGS, ids=lambda f: f.__name__)
def test_an_operator_takes_the_rule_of_the_function_with_its_arguments(operator: Any) -> None:
    assert torch_function(operator) is MEANINGS[operator]
    assert MEANINGS[operator] in RULES


def test_a_rule_of_its_own_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RULES, torch.sinh, lambda jet, func, x: x * 0)
    with_the_rule, beneath_it = (
        jet_derivatives(f, [POINT], [POINT], [None], [(1, 0)])[1, 0]
        for f in (torch.sinh, lambda x: beneath(torch.sinh, x))
    )
    assert not with_the_rule.any()
    assert not beneath_it.any()


# ------------------------------------------------------------------------------------------- memory, and what is refused

POINT = torch.tensor([[0.3, -0.7], [1.1, 0.4]], dtype=torch.float64)
VIEWS: dict[str, Function] = {
    "alias": lambda y: aten.alias(y),
    "view": lambda y: aten.view(y, [4]),
    "squeeze without effect": lambda y: aten.squeeze(y, [0]),
    "slice": lambda y: aten.slice(y, 0, 0, 1),
    "select": lambda y: aten.select(y, 1, 0),
    "transpose": lambda y: aten.t(y),
    "expand": lambda y: aten.expand(y, [2, 2]),
}


@pytest.mark.parametrize("name", VIEWS)
def test_views_share_memory(name: str) -> None:
    """What is written into a view of a jet is seen in the jet, and the other way round."""

    def written(x: Tensor) -> Tensor:
        y = x**2
        view = VIEWS[name](y)
        aten.mul_(view, 3)
        aten.add_(y, 1)
        return torch.cat([y.flatten(), view.flatten()])

    agree(written, case(f"view: {name}", written, lambda g: POINT))


def f_of_the_value(x: Tensor) -> Tensor:
    return x * x.sum().item()


REFUSED: dict[str, tuple[Function, type[Exception], str]] = {
    "detach under vmap": (
        lambda x: torch.func.vmap(lambda r: r * r.detach())(x),
        DetachedError,
        "detach takes a value",
    ),
    "detach in a gradient": (
        lambda x: torch.func.grad(lambda y: (y * y.detach()).sum())(x),
        DetachedError,
        "detach takes a value",
    ),
    "detach itself": (lambda x: aten.detach(x), DetachedError, "detach takes a value"),
    "a number": (lambda x: beneath(f_of_the_value, x), DetachedError, "_local_scalar_dense takes a value"),
    "into a plain tensor": (
        lambda x: beneath(torch.zeros(2, 2).double().add_, x),
        UnsupportedOperator,
        "add_.*plain tensor",
    ),
    "memory": (lambda x: beneath(torch.as_strided, x, (2,), (1,)), UnsupportedOperator, "as_strided"),
    "no derivative": (lambda x: aten._standard_gamma(x.abs()), UnsupportedOperator, "aten::_standard_gamma"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_lose_derivatives_is_refused(name: str) -> None:
    function, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        jet_derivatives(function, [POINT], [POINT], [None], [(1, 0)])


def test_what_autograd_saves_loses_nothing() -> None:
    """Autograd takes a result that it saves by a detach of its own: the gradient of exp inside of a jet."""

    def slope(x: Tensor) -> Tensor:
        return torch.func.grad(lambda y: torch.exp(torch.tanh(y)).sum())(x)

    def meaning(x: Tensor) -> Tensor:
        return torch.exp(torch.tanh(x)) / torch.cosh(x) ** 2

    agree(slope, case("a gradient inside", meaning, lambda g: POINT))


@pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning")
def test_the_last_error_of_a_call_that_puts_its_own_in_the_place() -> None:
    """TorchScript reports an error without a cause: evaluate raises the one that a rule raised."""
    scripted = torch.jit.script(f_of_the_value)
    with pytest.raises(DetachedError, match="_local_scalar_dense"):
        ap.evaluate(scripted, POINT[:1], ap.coordinates("x y")["x"])
