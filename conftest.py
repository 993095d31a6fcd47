"""What every test and every docstring example shares: names, threads, seeds, hypothesis settings, the CUDA marker.

It stands at the root, and not in tests/, so that it also reaches the examples in src/.
"""

import os
from collections.abc import Iterator
from typing import Any

import hypothesis
import numpy
import pytest
import torch

import apolar
from apolar.engine.jet import RULES
from apolar.engine.series import FUNCTIONS
from apolar.rules.decomposition import torch_function
from apolar.rules.record import RECORDS

os.environ.setdefault("MPLBACKEND", "Agg")

# The default repeats the same examples on every machine; HYPOTHESIS_PROFILE=explore looks for new ones.
hypothesis.settings.register_profile(
    "repeatable", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile("explore", deadline=None, max_examples=1000, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

# The tensors of the tests are small, and pytest-xdist already fills the cores; `make portability` asks for two threads.
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("cuda"):
                item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.fixture(autouse=True)
def _same_start() -> Iterator[None]:
    """Every test starts from the same seed and with eager kernels, and leaves the default dtype as it was.

    When a kernel that is compiled in the background is ready depends on the machine; tests of compiled ones ask for them.
    """
    torch.manual_seed(0)
    dtype = torch.get_default_dtype()
    with apolar.settings(kernels="eager"):
        yield
    torch.set_default_dtype(dtype)


@pytest.fixture(autouse=True, scope="module")
def _same_rules() -> Iterator[None]:
    """Rules that a file of tests registers are gone at its end."""
    tables: tuple[dict[Any, Any], ...] = (RECORDS, RULES, FUNCTIONS)
    before = [dict(table) for table in tables]
    yield
    for table, kept in zip(tables, before):
        table.clear()
        table.update(kept)
    torch_function.cache_clear()


@pytest.fixture(autouse=True)
def _doctest_names(doctest_namespace: dict[str, object]) -> None:
    doctest_namespace.update(torch=torch, np=numpy, ap=apolar)
