"""An operator of the database with the verdicts on all of its samples."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from apolar.rules.facts import Fact, all_facts
from tests.rules.reach import Reached, merge, reach, recording

from .database import DTYPES, Sample, samples
from .judge import Verdict, judge

FEW, SMALL = 20, 1000
"""PyTorch's nested modes cost seconds at large samples: they are judged at so many, of no more numbers than this."""


@dataclass(frozen=True)
class Entry:
    """An operator of the database.

    Attributes:
        name: in the database.
        verdicts: of all samples.
        functions: the torch functions that verified samples reach, the operator's own first, and what is behind each.
        behind: what is behind the samples where PyTorch's modes are judged.
    """

    name: str
    verdicts: tuple[Verdict, ...]
    functions: Mapping[str, Reached]
    behind: Reached

    @cached_property
    def counts(self) -> Counter[str]:
        """How many samples got which answer."""
        return Counter(v.answer for v in self.verdicts)

    @property
    def answer(self) -> str:
        """The worst answer; ``singular`` where no sample could be verified for lack of a reference."""
        worst = (answer for answer in ("wrong", "refused", "verified", "singular") if self.counts[answer])
        return next(worst, "singular")

    def examples(self) -> Iterator[Verdict]:
        """Samples that are wrong or refused, one for each reason."""
        reasons: set[str] = set()
        for v in self.verdicts:
            if v.answer in ("wrong", "refused") and v.reason[:50] not in reasons:
                reasons.add(v.reason[:50])
                yield v

    @property
    def lifted(self) -> str:
        """How the operator itself is lifted."""
        return next((reached.lifted for reached in self.functions.values()), "—")

    @cached_property
    def facts(self) -> tuple[Fact, ...]:
        """What is known to be wrong in PyTorch's own derivatives of it."""
        return tuple(fact for fact in all_facts() if self.behind.meets(fact))

    def unexplained(self) -> Iterator[str]:
        """Samples where a mode of PyTorch is wrong and no fact says so."""
        for v in self.verdicts:
            for mode, order in {"forward": v.forward, "reverse": v.reverse}.items():
                if order and not any(0 < getattr(fact, mode) <= order for fact in self.facts):
                    yield f"{v.sample}: PyTorch's {mode} mode is wrong from order {order}"


def judge_entry(name: str) -> Entry:
    """Every sample of an operator, real and complex; PyTorch's own modes at its smallest samples."""
    verdicts: list[Verdict] = []
    functions: dict[str, Reached] = {}
    behind = Reached()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for dtype in DTYPES:
            drawn = list(samples(name, dtype))
            small = {s.number for s in sorted(drawn, key=size)[:FEW] if size(s) <= SMALL}
            for sample in drawn:
                with recording() as seen:
                    verdicts.append(judge(sample, pytorch=sample.number in small))
                if verdicts[-1].answer == "verified" or not functions:
                    merge(functions, seen)
                if sample.number in small:
                    behind |= reach(sample.function, sample.inputs, {})
    return Entry(name, tuple(verdicts), functions, behind)


def size(sample: Sample) -> int:
    """How many numbers move."""
    return sum(x.numel() for x in sample.inputs)
