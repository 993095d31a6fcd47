"""How do the methods compare on other networks than an MLP?

Residual blocks, and a transformer over the coordinates as tokens. The floor of the transformer leaves its attention out.
"""

from collections.abc import Sequence

from .suite import cases
from .suite.command import main
from .suite.networks import NETWORKS
from .suite.problem import Problem
from .suite.results import Results

PROBLEMS = tuple(
    Problem(case, N, network=network)
    for case, N in ((cases.laplacian(2), 2_000), (cases.laplacian(10), 500), (cases.BURGERS, 2_000))
    for network in NETWORKS
    if network != "tanh MLP"
)


def run(argv: Sequence[str] | None = None) -> Results:
    return main("networks", __doc__, PROBLEMS, argv=argv)


if __name__ == "__main__":
    run()
