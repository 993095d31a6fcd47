"""How does the cost grow with the width of the network?"""

from collections.abc import Sequence

from .suite import cases
from .suite.command import main
from .suite.problem import Problem
from .suite.results import Results

PROBLEMS = tuple(Problem(cases.laplacian(2), 2_000, width=width) for width in (32, 64, 128, 256, 512))


def run(argv: Sequence[str] | None = None) -> Results:
    return main("width", __doc__, PROBLEMS, rising=True, argv=argv)


if __name__ == "__main__":
    run()
