"""Nested ``torch.autograd.grad``, as it is written by hand: no derivative is taken twice."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from ..cases import Derivative
from ..problem import Problem, Step
from .peer import Peer


def prepare(problem: Problem) -> Step:
    net, d = problem.net, problem.d

    def residuals() -> tuple[Tensor, ...]:
        X = problem.X.detach().requires_grad_()
        u = net(X)

        @cache
        def gradient(of: Derivative) -> Tensor:
            return torch.autograd.grad(read(of).sum(), X, create_graph=True)[0]

        @cache
        def read(of: Derivative) -> Tensor:
            if of.laplacians:
                below = Derivative(of.unknown, of.axes, of.laplacians - 1)
                first = gradient(below)
                second = [torch.autograd.grad(first[:, i].sum(), X, create_graph=True)[0][:, i] for i in range(d)]
                return torch.stack(second).sum(0)
            if of.axes:
                return gradient(Derivative(of.unknown, of.axes[:-1]))[:, of.axes[-1]]
            return u[:, of.unknown]

        return problem.case.run(read)

    return problem.step(residuals)


NESTED = Peer("nested", prepare)
