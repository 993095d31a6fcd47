"""apolar: one lifted pass."""

from __future__ import annotations

from ..problem import Problem, Step
from .peer import Peer


def prepare(problem: Problem) -> Step:
    net, X, residual = problem.net, problem.X, problem.case.residual

    def residuals() -> tuple:
        found = residual(net, X)
        return found if isinstance(found, tuple) else (found,)

    return problem.step(residuals)


APOLAR = Peer("apolar", prepare)
