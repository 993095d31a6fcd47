"""How does the cost grow with the order n of a derivative?

The n-th derivative of a network of one variable, in float64: the numbers grow like n!.
"""

from collections.abc import Sequence

import torch

from .suite import cases
from .suite.command import main
from .suite.problem import Problem
from .suite.results import Results

PROBLEMS = tuple(Problem(cases.nth(n), 500, dtype=torch.float64) for n in range(1, 13))


def run(argv: Sequence[str] | None = None) -> Results:
    return main("order", __doc__, PROBLEMS, rising=True, argv=argv)


if __name__ == "__main__":
    run()
