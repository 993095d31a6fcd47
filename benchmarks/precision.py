"""What does float64 cost against float32?"""

from collections.abc import Sequence

import torch

from .suite import cases
from .suite.command import main
from .suite.problem import Problem
from .suite.results import Results

PROBLEMS = tuple(
    Problem(case, N, dtype=dtype)
    for case, N in ((cases.laplacian(2), 2_000), (cases.biharmonic(2), 500), (cases.KDV, 2_000))
    for dtype in (torch.float32, torch.float64)
)


def run(argv: Sequence[str] | None = None) -> Results:
    return main("precision", __doc__, PROBLEMS, argv=argv)


if __name__ == "__main__":
    run()
