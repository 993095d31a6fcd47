"""How long does a training step take whose loss holds a differential operator of a network, and is that what it should be?

Value and gradient with respect to all parameters; tanh MLP with four hidden layers of 64, float32. The bars are for two CPU
cores: against nested reverse mode, the fastest other method, the floor, and the memory of nested reverse mode.
"""

from collections.abc import Sequence

from .suite import cases
from .suite.command import main
from .suite.problem import Bar, Problem
from .suite.results import Results

PROBLEMS = (
    Problem(cases.laplacian(2), 2_000, bar=Bar(nested=2.8, best=1.1, floor=1.6)),
    Problem(cases.laplacian(2), 10_000, bar=Bar(nested=1.8, best=1.1, floor=1.6)),
    Problem(cases.laplacian(10), 2_000, bar=Bar(nested=2.6, best=1.0, floor=1.6)),
    Problem(cases.laplacian(50), 2_000, bar=Bar(nested=2.4, best=1.1, floor=1.6)),
    Problem(cases.biharmonic(2), 500, bar=Bar(nested=10, best=4.0, floor=2.5)),
    Problem(cases.biharmonic(5), 500, bar=Bar(nested=20, best=4.0, floor=2.5)),
    Problem(cases.BURGERS, 3_000, bar=Bar(nested=1.5, floor=1.6)),
    Problem(cases.KDV, 2_000, bar=Bar(nested=2.7, floor=1.6)),
    Problem(cases.KURAMOTO_SIVASHINSKY, 2_000, bar=Bar(nested=6, floor=2.5)),
    Problem(cases.NAVIER_STOKES, 4_000, bar=Bar(nested=5, floor=1.6)),
)


def run(argv: Sequence[str] | None = None) -> Results:
    return main("training_step", __doc__, PROBLEMS, argv=argv)


if __name__ == "__main__":
    run()
