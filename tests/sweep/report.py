"""What came out, operator by operator: docs/operators.md and the list that ``ap.supported_operators()`` reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from tests.rules import verified

from .entry import Entry
from .judge import Verdict

PAGE = Path(__file__).parents[2] / "docs" / "operators.md"
MOST_REFUSED = 0.03
"""The share of the operators that may be refused, in part or altogether."""

TEXT = """# Operators

<!-- Written by `make verify`. -->

PyTorch {version} has a database of its operators with sample inputs, which its own tests use. Every operator of it that can
be differentiated twice in float64 is differentiated here by apolar: for every sample, with real and with complex inputs,
along a random direction at orders 1 to 4, along two directions at once (∂s∂t and ∂s²∂t), in reverse mode through ∂s², as a
function, as a method, in place and as an operator. The reference is Chebyshev interpolation of the function itself at 10 to
36 points along lines, which shares nothing with differentiation. `make verify` repeats all of it and writes this page.

| | operators | samples |
|---|---|---|
| verified | {verified_operators} | {verified_samples} |
| refused with `UnsupportedOperator`, in part or altogether | {refused_operators} | {refused_samples} |
| wrong | {wrong_operators} | {wrong_samples} |
| no reference: [points without a derivative](singular-points.md), half precision | {singular_operators} | {singular_samples} |

Besides, {programs} random programs of 5 to 20 operators were composed and judged in the same way: {verified_programs} verified,
{singular_programs} without a reference, {refused_programs} refused, {wrong_programs} wrong.

In Python the list is `ap.supported_operators()`, on the command line `apolar operators`.

## What is refused, and why

{refusals}

## All operators

How it is lifted: by the kind of its rule; as a *decomposition* into functions that have a rule; or *generic*, by PyTorch's
own derivatives of this one operator. Samples: how many are verified of those that have a reference.

The last two columns say from which order PyTorch's own nested modes give numbers that differ from the reference at a sample
where apolar's agree with it: *forward* nests `torch.func.jvp`, *reverse* nests `torch.autograd.grad`. [Defects of
PyTorch](pytorch-defects.md) explains these. Some are conventions: functions that read one triangle of a matrix (`eigh`,
`cholesky`, …) are differentiated by PyTorch as if the matrix moved in both.

| operator | lifted | orders | samples | forward wrong from | reverse wrong from |
|---|---|---|---|---|---|
{rows}
"""


def right(entries: Sequence[Entry], programs: Sequence[Verdict]) -> bool:
    """Whether nothing is wrong and no more is refused than may be."""
    refused = sum(e.answer == "refused" for e in entries)
    wrong = any(e.answer == "wrong" for e in entries) or any(v.answer in ("wrong", "refused") for v in programs)
    return not wrong and refused <= max(1, MOST_REFUSED * len(entries))


def write(entries: Sequence[Entry], programs: Sequence[Verdict], cases: Iterable[str]) -> None:
    """Both files; ``cases`` are the functions that the cases of tests/rules verify."""
    listed: dict[str, verified.Wrong] = dict.fromkeys(cases, (0, 0))
    for e in entries:
        if e.counts["verified"]:
            names = verified.listed(e.functions)
            listed = {**dict.fromkeys(names, (0, 0)), **listed}
            own = next(iter(e.functions), None)
            if own in names:
                forward, reverse = (min(filter(None, both), default=0) for both in zip(listed[own], e.pytorch))
                listed[own] = forward, reverse
    verified.write(listed)
    PAGE.write_text(page(entries, programs))


def page(entries: Sequence[Entry], programs: Sequence[Verdict]) -> str:
    """docs/operators.md."""
    answers, samples = Counter(e.answer for e in entries), sum((e.counts for e in entries), Counter())
    rows = "\n".join(row(e) for e in sorted(entries, key=lambda e: e.name.lower()))
    refusals = "\n".join(f"- `{e.name}`: {reason(v)}" for e in entries for v in e.examples() if v.answer == "refused")
    counts = {
        f"{key}_{what}": counter[key]
        for what, counter in {
            "operators": answers,
            "samples": samples,
            "programs": Counter(v.answer for v in programs),
        }.items()
        for key in ("verified", "refused", "wrong", "singular")
    }
    version = torch.__version__.split("+")[0]
    return TEXT.format(version=version, programs=len(programs), refusals=refusals or "Nothing.", rows=rows, **counts)


def row(e: Entry) -> str:
    """A line of the table."""
    forward, reverse = ("—" if order == 0 else str(order) for order in e.pytorch)
    referred = len(e.verdicts) - e.counts["singular"]
    orders = "1–4" if e.counts["verified"] else "—"
    return f"| `{e.name}` | {e.lifted} | {orders} | {e.counts['verified']} of {referred} | {forward} | {reverse} |"


def reason(v: Verdict) -> str:
    """Why a sample is refused, without the place in the code."""
    return v.reason.partition("kwargs). ")[2] or v.reason
