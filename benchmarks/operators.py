"""How do the methods compare on other operators than those of training_step?

The heat equation, the Laplacian in 100 variables, the biharmonic operator in 3, Δ³ in 2, and all second derivatives in 3.
"""

from collections.abc import Sequence

from .suite import cases
from .suite.command import main
from .suite.problem import Problem
from .suite.results import Results

PROBLEMS = (
    Problem(cases.HEAT, 2_000),
    Problem(cases.laplacian(100), 1_000),
    Problem(cases.biharmonic(3), 500),
    Problem(cases.TRIHARMONIC, 500),
    Problem(cases.SECOND_DERIVATIVES, 2_000),
)


def run(argv: Sequence[str] | None = None) -> Results:
    return main("operators", __doc__, PROBLEMS, argv=argv)


if __name__ == "__main__":
    run()
