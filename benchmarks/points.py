"""How does the cost grow with the number of points N?"""

from collections.abc import Sequence

from .suite import cases
from .suite.command import main
from .suite.problem import Problem
from .suite.results import Results

PROBLEMS = tuple(Problem(cases.laplacian(2), N) for N in (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000))


def run(argv: Sequence[str] | None = None) -> Results:
    return main("points", __doc__, PROBLEMS, rising=True, argv=argv)


if __name__ == "__main__":
    run()
