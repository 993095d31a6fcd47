"""torch-jet (github.com/f-dangel/torch-jet): Taylor mode for PyTorch, collapsed by ``simplify``; and with torch.compile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..cases import Derivative
from ..problem import Problem, Step
from .peer import LeftOut, Peer


def residuals(problem: Problem) -> Callable[[Tensor], tuple[Tensor, ...]]:
    """The equation at points."""
    try:
        from jet import jet
        from jet.bilaplacian import bilaplacian
        from jet.laplacian import laplacian
        from jet.simplify import simplify
    except ImportError as error:
        raise LeftOut(f"torch-jet is not importable ({error})") from None
    net, case, point = problem.net, problem.case, torch.zeros_like(problem.X[0])
    basis = torch.eye(problem.d, dtype=problem.dtype, device=problem.device)
    wanted = case.derivatives
    power = max(p.laplacians for p in wanted)
    if power > 2:
        raise LeftOut("torch-jet has Laplacians and biharmonic operators, no higher powers")
    if any(len(set(p.axes)) > 1 for p in wanted):
        raise LeftOut("a jet is along one direction: no mixed derivatives")

    def at(x: Tensor) -> dict[Derivative, Any]:
        found: dict[Derivative, Any] = {}
        if power == 2:
            biharmonic = bilaplacian(net, point)(x)
            return {p: biharmonic[p.unknown] for p in wanted}
        if power == 1:
            value, gradient, trace = laplacian(net, point)(x)
        else:
            orders = {a: max(len(p.axes) for p in wanted if a in p.axes) for p in wanted for a in p.axes}
            zero = torch.zeros_like(x)
            series = {a: jet(net, n, point)(x, basis[a], *[zero] * (n - 1)) for a, n in orders.items()}
            value = next(iter(series.values()))[0]
        for p in wanted:
            if p.laplacians:
                found[p] = trace[p.unknown]
            elif not p.axes:
                found[p] = value[p.unknown]
            elif power:
                found[p] = gradient[p.axes[0], p.unknown]
            else:
                found[p] = series[p.axes[0]][len(p.axes)][p.unknown]
        return found

    return torch.func.vmap(simplify(lambda x: case.run(at(x).__getitem__), point))


def prepare(problem: Problem) -> Step:
    function, X = residuals(problem), problem.X
    return problem.step(lambda: function(X))


def prepare_compiled(problem: Problem) -> Step:
    function, X = residuals(problem), problem.X
    torch._dynamo.reset()  # every problem is compiled for its own shapes
    compiled = torch.compile(function, dynamic=False)
    return problem.step(lambda: compiled(X))


TORCH_JET = Peer("torch-jet", prepare, eager=False)
TORCH_JET_COMPILED = Peer("torch-jet compiled", prepare_compiled, eager=False)
