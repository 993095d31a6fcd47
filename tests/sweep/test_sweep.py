"""A fixed sample of what ``make verify`` judges: of every operator one call with real inputs and one with complex ones."""

from __future__ import annotations

import zlib
from dataclasses import replace
from functools import cache

import pytest
import torch
import torch.nn.functional as F

from apolar.engine.jet import RULES
from tests.oracles.lines import Function

from .database import DTYPES, Sample, entries, samples
from .entry import size
from .judge import Verdict, judge
from .report import MOST_REFUSED, PAGE


@cache
def refusals() -> dict[str, str]:
    """The reasons that the page gives for what is refused."""
    lines = [line.removeprefix("- `") for line in PAGE.read_text().splitlines() if line.startswith("- `")]
    return dict(line.split("`: ", 1) for line in lines)


@pytest.mark.parametrize("name, dtype", [(name, d) for name, op in entries().items() for d in DTYPES if d in op.dtypes])
def test_one_sample(name: str, dtype: torch.dtype) -> None:
    found = [s for s in samples(name, dtype) if size(s) <= 10_000]
    if not found:
        pytest.skip("no sample has an input that moves, or all are large")
    verdict = judge(found[zlib.crc32(name.encode()) % len(found)], pytorch=False)
    if verdict.answer == "refused" and name in refusals():
        pytest.skip(f"refused: {refusals()[name]}")
    assert verdict.answer in ("verified", "singular"), verdict


def call(function: Function, *inputs: torch.Tensor) -> Sample:
    """A sample of a function that is not in the database."""
    return Sample("a function", 0, torch.float64, function, inputs, {})


X = torch.tensor([0.3, -0.7], dtype=torch.float64)


def test_a_wrong_rule_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule for sin that is wrong from the third derivative on, and from the first."""
    assert judge(call(torch.sin, X)).answer == "verified"
    for wrong in (
        lambda jet, func, x: x + 0.0 * x**2,
        lambda jet, func, x: x - 0.01 * x**3 + torch.sin(x.value) - x.value,
    ):
        monkeypatch.setitem(RULES, torch.sin, wrong)
        assert judge(call(torch.sin, X)).answer == "wrong"


def test_a_variant_that_differs_is_found() -> None:
    sample = replace(call(torch.sin, X), variants={"method": torch.cos})
    assert judge(sample) == Verdict(str(sample), "wrong", judge(sample).reason)
    assert judge(sample).reason.startswith("method")


def test_an_error_is_not_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RULES, torch.sin, lambda jet, func, x: x.no_such_attribute)
    assert judge(call(torch.sin, X)).answer == "wrong"
    monkeypatch.setitem(RULES, torch.sin, lambda jet, func, x: [][1])
    assert judge(call(torch.sin, X)).answer == "wrong"


@pytest.mark.parametrize(
    "function, point", [(torch.abs, 0.0), (torch.sqrt, 0.0), (torch.floor, 1.0), (torch.relu, 0.0)]
)
def test_points_without_derivative_have_no_reference(function: Function, point: float) -> None:
    assert judge(call(function, torch.full((2,), point, dtype=torch.float64))).answer == "singular"


def test_pytorch_is_judged_beside() -> None:
    layer_norm = call(lambda x: F.layer_norm(x, (4,)), torch.tensor([0.5, -1.2, 2.0, 0.3], dtype=torch.float64))
    assert judge(layer_norm) == Verdict(str(layer_norm), "verified", forward=2, reverse=3)
    assert judge(call(torch.sin, X)) == Verdict(str(call(torch.sin, X)), "verified")


def test_the_page_lists_every_operator() -> None:
    page, version = PAGE.read_text(), f"PyTorch {torch.__version__.split('+')[0]} "
    if version not in page:
        pytest.skip(f"the page lists the operators of another version than {version}")
    listed = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `")}
    assert listed == entries().keys(), "run: make verify"


def test_little_is_refused_and_with_a_reason() -> None:
    assert len(refusals()) <= MOST_REFUSED * len(entries())
    assert all(len(reason) > 20 for reason in refusals().values())
