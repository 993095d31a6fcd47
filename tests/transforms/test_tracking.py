"""Values that leave the computation: every transform gives the right number or an error, and all give the same answer."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import apolar as ap
from apolar.errors import DetachedError

X = torch.tensor([0.5, 0.7], dtype=torch.float64)
PLACES = torch.tensor([0, 1])
Function = Callable[[Tensor], Tensor]


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def without_gradients(v: Tensor) -> Tensor:
    with torch.no_grad():
        w = v * 2
    return (w * v).sum()


def swallowed(v: Tensor) -> Tensor:
    """Code that goes on after an error."""
    try:
        w = v[1].item()
    except Exception:
        w = 1.0
    return v[0] * w


REFUSED: dict[str, Function] = {
    "math.sin": lambda v: v[0] * math.sin(v[1]),
    "item": lambda v: v[0] * v[1].item(),
    "float": lambda v: v[0] * float(v[1]),
    "complex": lambda v: v[0] * complex(v[1]).real,
    "detach": lambda v: (v.detach() * v).sum(),
    "detach_": lambda v: (v.clone().detach_() * v).sum(),
    "data": lambda v: (v.data * v).sum(),
    "tolist": lambda v: v[0] * v.tolist()[1],
    "numpy": lambda v: v[0] * float(v.detach().numpy()[1]),
    "np.asarray": lambda v: v[0] * float(np.asarray(v.data)[1]),
    "no_grad": without_gradients,
    "torch.tensor": lambda v: (torch.tensor(v) * v).sum(),
    "torch.tensor of a list": lambda v: (torch.tensor([v[0], v[1]]) * v).sum(),
    "torch.Tensor": lambda v: (torch.Tensor([float(v[0]), 1.0]) * v).sum(),
    "Parameter": lambda v: (nn.Parameter(v) * v).sum(),
    "Parameter of a result": lambda v: (nn.Parameter(v * 2) * v).sum(),
    "a layer with a weight from v": lambda v: F.linear(v, nn.Parameter(v.unsqueeze(0))).sum(),
    "linspace of an item": lambda v: torch.linspace(0.0, v[0].item(), 5).sum() * v[0],
    "new_tensor": lambda v: (v.new_tensor(v) * v).sum(),
    "format": lambda v: v[1] * float(f"{v[0]:.6f}"),
    "str of an item": lambda v: v[1] * float(str(v[0].item())),
    "full": lambda v: torch.full((2,), v[0]).sum() * v[1],
    "pad with a value": lambda v: F.pad(v, (1, 1), value=v[0]).sum() * v[1],
    "alpha": lambda v: torch.add(v, v, alpha=v[0]).sum(),
}  # fmt: skip
RIGHT: dict[str, Function] = {
    "linspace": lambda v: torch.linspace(0.0, v[0], 5, dtype=torch.float64).sum() * v[0],
    "bincount": lambda v: (torch.bincount(PLACES, weights=v) * v).sum(),
    "unique": lambda v: (torch.unique(v) * v).sum(),
    "vander": lambda v: torch.vander(v).prod(),
    "deepcopy": lambda v: (copy.deepcopy(v) * v).sum(),
    "a new module": lambda v: nn.Linear(2, 1).double()(v).sum() * 0 + (v**2).sum(),
    "whole numbers": lambda v: v[0] * int(10 * v[1] + 0.5) + v.argmax() * v[1],
    "rounding": lambda v: (torch.floor(10 * v + 0.5) * v).sum() + (v > 0.6).double() @ v,
    "an integer tensor": lambda v: (v * (10 * v + 0.5).long()).sum(),
    "a branch on a value": lambda v: (v**3).sum() if v[0] < v[1] else v.sum(),
    "what does not move": lambda v: v[0] * float((v - v + 2).sum()) + v[1] * (0 * v).detach().sum(),
    "a constant tensor": lambda v: v[0] * X.sum().item() + (X.detach() * v).sum(),
    "torch.normal": lambda v: (torch.normal(v, 1.0, generator=generator()) * v).sum(),
    "a Bessel function": lambda v: (torch.special.bessel_j0(v) * v).sum(),
    "printing": lambda v: (v * len(repr(v) + f"{v}" * 0) ** 0).sum(),
    "zeros_like": lambda v: (torch.zeros_like(v) + v * torch.ones_like(v)).sum(),
    "torch.func inside": lambda v: torch.func.grad(lambda w: (w**3).sum())(v).sum(),
}  # fmt: skip


def differences(f: Function) -> Tensor:
    """Central differences of fourth order, step 1e-3: errors of 1e-12 of the fifth derivative, and of rounding, 1e-13."""
    rows = []
    for e in torch.eye(2, dtype=torch.float64):
        near, far = ((f(X + h * e) - f(X - h * e)) / (2 * h) for h in (1e-3, 2e-3))
        rows.append((4 * near - far) / 3)
    return torch.stack(rows).detach().reshape(2)


TRANSFORMS: dict[str, Callable[[Function], Tensor]] = {
    "grad": lambda f: ap.grad(f)(X),
    "grad of a pair": lambda f: ap.grad(lambda v: (f(v), {"v": 1}), has_aux=True)(X)[0],
    "vjp": lambda f: ap.vjp(f, X)[1](torch.ones_like(f(X)))[0],
    "jacobian": lambda f: ap.jacobian(f)(X),
    "jvp": lambda f: torch.stack([ap.jvp(f, (X,), (e,))[1] for e in torch.eye(2, dtype=torch.float64)]),
    "derivative tensor": lambda f: ap.derivative_tensor(f, 1)(X),
}
each_transform = pytest.mark.parametrize("transform", TRANSFORMS)


@each_transform
@pytest.mark.parametrize("way", REFUSED)
def test_what_leaves_is_refused(way: str, transform: str) -> None:
    with pytest.raises(DetachedError, match=r"out of the computation|switches gradients off"):
        TRANSFORMS[transform](REFUSED[way])


@each_transform
@pytest.mark.parametrize("way", RIGHT)
def test_what_stays_is_right(way: str, transform: str) -> None:
    torch.manual_seed(0)
    found = TRANSFORMS[transform](RIGHT[way])
    assert torch.allclose(found, differences(RIGHT[way]), rtol=1e-9, atol=1e-9)


@each_transform
def test_a_refusal_counts_where_the_function_catches_it(transform: str) -> None:
    with pytest.raises(DetachedError, match="item takes a value"):
        TRANSFORMS[transform](swallowed)


@pytest.mark.parametrize("transform", ["grad", "vjp"])
def test_many_variables(transform: str) -> None:
    """Forward mode stands in for reverse mode, some directions at a time."""
    x = torch.linspace(0.1, 1, 600, dtype=torch.float64)

    def f(v: Tensor) -> Tensor:
        return (torch.unique(v) ** 2 * v).sum()

    found: Any = ap.grad(f)(x) if transform == "grad" else ap.vjp(f, x)[1](torch.ones((), dtype=torch.float64))[0]
    assert torch.allclose(found, 3 * x**2)
