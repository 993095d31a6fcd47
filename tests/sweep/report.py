"""What came out, operator by operator: docs/operators.md and the table of facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from apolar.rules.facts import found_in
from tests.rules import facts
from tests.rules.reach import Reached, listed, merge

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

The last column says from which order PyTorch's own nested modes are wrong, without an error, and where: *forward* nests
`torch.func.jvp`, *reverse* nests `torch.autograd.grad`. It holds for PyTorch {found_in}, on the CPU, up to order 4; other
versions may differ. Each entry is confirmed by a function whose derivatives are known, at points where PyTorch is wrong and
at others where it is right. What is *different* is no mistake but another reading of the function. [Defects of
PyTorch](pytorch-defects.md) explains these.

| operator | lifted | orders | samples | PyTorch |
|---|---|---|---|---|
{rows}
"""


def right(entries: Sequence[Entry], programs: Sequence[Verdict]) -> bool:
    """Whether nothing is wrong, no more is refused than may be, and the facts say where PyTorch is wrong."""
    refused = sum(e.answer == "refused" for e in entries)
    wrong = any(e.answer == "wrong" for e in entries) or any(v.answer in ("wrong", "refused") for v in programs)
    unknown = any(True for e in entries for _ in e.unexplained())
    return not wrong and not unknown and refused <= max(1, MOST_REFUSED * len(entries))


def write(entries: Sequence[Entry], programs: Sequence[Verdict], cases: Mapping[str, Reached]) -> None:
    """Both files; ``cases`` are the functions that the cases of tests/rules verify."""
    verified = listed(cases)
    functions = dict(cases)
    for e in entries:
        merge(functions, e.functions)
        if e.counts["verified"]:
            verified |= listed(e.functions)
    facts.write(facts.measured(), functions, verified)
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
    fields = {"version": version, "found_in": found_in(), "programs": len(programs)}
    return TEXT.format(**fields, refusals=refusals or "Nothing.", rows=rows, **counts)


def row(e: Entry) -> str:
    """A line of the table."""
    pytorch = "; ".join(map(str, e.facts)) or "—"
    referred = len(e.verdicts) - e.counts["singular"]
    orders = "1–4" if e.counts["verified"] else "—"
    return f"| `{e.name}` | {e.lifted} | {orders} | {e.counts['verified']} of {referred} | {pytorch} |"


def reason(v: Verdict) -> str:
    """Why a sample is refused, without the place in the code."""
    return v.reason.partition("kwargs). ")[2] or v.reason
