"""100 of the random programs that ``make verify`` judges, and what the generator promises."""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from apolar.engine.jet import RULES
from apolar.errors import UnsupportedOperator
from tests.oracles.jets import jet_derivatives
from tests.oracles.lines import flat, real

from .catalogue import CATALOGUE, OVERWRITING
from .catalogue.notation import COMPLEX, Operator
from .judge import certain, reference
from .programs import FEWEST, MOST, Operand, Step, fit, judge_program, program, programs, shrunk

COUNT = 100


@pytest.mark.parametrize("seed", range(COUNT))
def test_program(seed: int) -> None:
    verdict = judge_program(program(seed))
    if verdict.answer == "wrong":
        pytest.fail(f"{verdict.reason}\n\n{shrunk(program(seed))}", pytrace=False)
    assert verdict.answer == "verified", verdict


def test_references_are_certain() -> None:
    """At order 3, so that little is left out of the comparisons."""
    shares = [certain(reference(p.sample, [(3, 0)])[3, 0]).double().mean() for p in programs(COUNT // 4)]
    assert sum(share > 0 for share in shares) >= 0.95 * len(shares)
    assert sum(shares) >= 0.9 * len(shares)


def test_programs_are_varied() -> None:
    found = list(programs(COUNT))
    assert {len(p.steps) for p in found} == set(range(FEWEST, MOST + 1))
    assert sum(CATALOGUE[p.seed] in {step.operator for step in p.steps} for p in found) >= 0.9 * COUNT
    assert len({step.operator for p in found for step in p.steps}) >= 0.6 * len(CATALOGUE)


def test_a_program_comes_from_its_seed_alone() -> None:
    first = str(program(7))
    torch.manual_seed(1)
    torch.rand(3)
    assert [str(p) for p in programs(2, 6)][1] == first


def test_a_wrong_program_is_found_and_shrunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a rule for sin, the first operator, that is wrong from the second derivative on; the script says so as well."""
    sin = RULES[torch.sin]
    monkeypatch.setitem(RULES, torch.sin, lambda jet, func, x: sin(jet, func, x) + 1e-3 * (x - x.value) ** 2)
    found = next(p for p in programs(COUNT) if CATALOGUE[0] in {step.operator for step in p.steps})
    assert judge_program(found).answer == "wrong"
    (left,) = shrunk(found).steps
    assert "torch.sin(" in str(left)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(str(shrunk(found)), {})
    assert "answer='wrong'" in printed.getvalue()


# ------------------------------------------------------------------------------------------------------------------ memory


def written(operator: Operator, dim: int, first: bool) -> Any:
    """A function that overwrites the operand of an operator and returns the result, or the other way round."""
    bare = replace(operator, template=re.sub(r":\w+}", "}", operator.template))

    def function(x: Tensor) -> Tensor:
        x = x.clone()
        parameters = {"number": 1.5, "dim": dim, "k": 1, "n": x.shape[-1] if x.ndim else 1}
        space = {"torch": torch, "F": F, "x": x}
        exec(str(Step("result", bare, (Operand("x", tuple(x.shape)),), parameters)), space)
        one, other = (x, space["result"]) if first else (space["result"], x)
        one.mul_(2)
        return other

    return function


@pytest.mark.parametrize(
    "operator", [op for op in CATALOGUE if len(op.operands) == 1 and op not in OVERWRITING], ids=str
)
def test_memory_is_shared_as_in_torch(operator: Operator) -> None:
    """What is written to a result changes the operand, and the other way round, if it does so in torch; or it is refused."""
    dtype = torch.complex128 if operator.operands[0] in COMPLEX else torch.float64
    for shape in (s for s in ((), (1,), (3,), (1, 1), (2, 2), (1, 2)) if fit(operator.shapes[0], s, {}) is not None):
        x = torch.rand(shape, dtype=dtype, generator=torch.Generator().manual_seed(0)) + 0.1
        for function in (written(operator, -1, first) for first in (True, False)):
            try:
                expected = function(x)
                (found,) = jet_derivatives(function, [x], [torch.ones_like(x)], [None], [(0, 0)]).values()
            except (UnsupportedOperator, RuntimeError, IndexError, TypeError, ValueError):
                continue
            assert torch.allclose(found, real(flat(expected)), equal_nan=True), shape
