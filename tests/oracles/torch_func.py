"""Derivatives by torch.func: reverse mode inside of reverse mode, which is right for the functions of ``scenarios``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from .scenarios import Scenario


def derivatives(f: Callable[..., Any], order: int, argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """All partial derivatives of one order: (*out, *in, …, *in)."""
    for _ in range(order):
        f = torch.func.jacrev(f, argnums)
    return f


def of(scenario: Scenario, order: int, dtype: torch.dtype = torch.float64) -> Any:
    """The same of a scenario at its own inputs, computed in double precision from inputs of the given one."""
    inputs = [x.double() for x in scenario.inputs(dtype)]
    return derivatives(scenario.function, order, scenario.argnums)(*inputs)


def contracted(T: Tensor, v: Tensor, times: int = 1) -> Tensor:
    """A tensor of derivatives along a direction: its last axes, as many as v has, summed against v."""
    for _ in range(times):
        T = (T * v).sum(tuple(range(-v.ndim, 0))) if v.ndim else T * v
    return T


def diagonal(H: Any, shape: tuple[int, ...]) -> Any:
    """From second derivatives (*out, *in, *in) the unmixed ones (*out, *in)."""
    n = torch.Size(shape).numel()

    def one(h: Tensor) -> Tensor:
        out = h.shape[: h.ndim - 2 * len(shape)]
        return h.reshape(*out, n, n).diagonal(dim1=-2, dim2=-1).reshape((*out, *shape))

    return tree_map(one, H)
