"""Where PyTorch's own derivatives are wrong, and which torch functions the cases reach: the table of ``apolar.rules.facts``.

``python -m tests.rules.facts`` measures every line of tables/pytorch.py and runs every case once, in a few minutes; functions
that only ``make verify`` reaches are kept from the table as it stands.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import mpmath as mp
import torch
from torch import Tensor

import apolar
from apolar.rules.facts import Fact, all_facts, name_of, verified
from apolar.rules.record import spellings
from apolar.verification.supported import VERIFIED_ORDER
from tests.oracles.jets import jet_derivatives

from .reach import Calls, Reached, listed, merge, reach, recording
from .tables.pytorch import PROBES, Probe

TABLE = Path(apolar.__file__).parent / "rules" / "facts.json"
WRONG = 1e-6
"""Of a derivative, relative to it, at least 1: less is rounding."""


# -------------------------------------------------------------------------------------------------- what the cases reach


def reached() -> dict[str, Reached]:
    """The functions that occur in a case that must be right."""
    from tests.rules.tables import CASES
    from tests.rules.tables.univariate import TABLE

    found: dict[str, Reached] = {}

    def run(function: Any, x: list[Tensor], v: list[Tensor | None]) -> None:
        with recording() as seen:
            jet_derivatives(function, x, v, [None] * len(v), [(1, 0)])
        merge(found, seen)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for case in CASES:
            if not case.refused:
                run(case.function, case.point(), case.directions()[0])
        for line in TABLE:
            if not line.refused:
                x = torch.tensor(line.points, dtype=torch.float64)
                run(line.function, [x], [torch.ones_like(x)])
    return found


def reached_in_the_database() -> dict[str, Reached]:
    """The functions behind the smallest samples of PyTorch's database, and behind the same calls as methods and in place."""
    from tests.sweep.database import DTYPES, entries, samples
    from tests.sweep.entry import FEW, SMALL, size

    found: dict[str, Reached] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in entries():
            for sample in (
                s for dtype in DTYPES for s in sorted(samples(name, dtype), key=size)[:FEW] if size(s) <= SMALL
            ):
                for function in (sample.function, *sample.variants.values()):
                    with recording() as seen:
                        try:
                            jet_derivatives(
                                function, sample.inputs, sample.directions()[0], [None] * len(sample.inputs), [(1, 0)]
                            )
                        except Exception:
                            continue
                        finally:
                            merge(found, seen)
    return found


# ----------------------------------------------------------------------------------------------- what PyTorch gets wrong


def measure(probe: Probe) -> Fact:
    """From which orders PyTorch is wrong, its nodes; a mode that is as wrong without the condition does not count."""
    forward, reverse = (
        first_wrong(mode, probe.function, probe.exact, probe.wrong) for mode in (by_forward, by_reverse)
    )
    if probe.where:
        other, at = (probe.otherwise, probe.wrong) if probe.otherwise else (probe.function, probe.right)
        assert at, f"{probe}: where is it right?"
        exact = probe.otherwise_exact or probe.exact
        forward *= forward != first_wrong(by_forward, other, exact, at)
        reverse *= reverse != first_wrong(by_reverse, other, exact, at)
    x = torch.tensor(probe.wrong[0], dtype=torch.float64)
    behind = reach(probe.function, (x,), {})
    if probe.operator not in behind.operators:
        raise ValueError(f"{probe}: the function calls {sorted(behind.operators)}")
    stem = "".join(part.capitalize() for part in probe.operator.split("_") if part)
    pattern = rf"{stem}Backward\d*|GeneratedBackwardFor_{probe.operator.replace('::', '_')}_default.*"
    nodes = {name for name, k, _ in behind.edges if k in probe.outputs and re.fullmatch(pattern, name, re.IGNORECASE)}
    return Fact(
        probe.operator,
        probe.outputs,
        forward,
        reverse,
        probe.where,
        probe.convention,
        tuple(sorted({*nodes, *probe.devices})),
    )


Mode = Callable[[Callable[[Tensor], Tensor], Tensor, int], Tensor]


def first_wrong(
    mode: Mode, function: Callable[[Tensor], Tensor], exact: Callable[[Any], Any], points: Iterable[float]
) -> int:
    """The lowest order at which a mode is wrong at one of the points; 0 where it is right, or says that it cannot."""
    orders = []
    for x in points:
        for order, value in enumerate(derivatives(exact, x)[1:], 1):
            try:
                found = mode(function, torch.tensor(x, dtype=torch.float64), order).item()
            except (RuntimeError, NotImplementedError):
                break
            if not abs(found - value) <= WRONG * max(1.0, abs(value)):
                orders.append(order)
                break
    return min(orders, default=0)


def derivatives(exact: Callable[[Any], Any], x: float) -> list[float]:
    """The derivatives of orders 0 to 4 in 60 digits."""
    with mp.workdps(60):
        return [float(c * mp.factorial(k)) for k, c in enumerate(mp.taylor(exact, mp.mpf(x), VERIFIED_ORDER))]


def by_forward(function: Callable[[Tensor], Tensor], x: Tensor, order: int) -> Tensor:
    """The derivative of a function of a number, forward over forward."""
    if order == 0:
        return function(x)
    return torch.func.jvp(lambda x: by_forward(function, x, order - 1), (x,), (torch.ones_like(x),))[1]


def by_reverse(function: Callable[[Tensor], Tensor], x: Tensor, order: int) -> Tensor:
    """The same, reverse over reverse; what does not require grad is a constant."""
    x = x.clone().requires_grad_()
    y = function(x)
    for _ in range(order):
        if not y.requires_grad:
            return torch.zeros_like(x)
        (y,) = torch.autograd.grad(y, x, create_graph=True, materialize_grads=True)
    return y.detach()


# ------------------------------------------------------------------------------------------------------------- the table


def measured() -> list[Fact]:
    """All lines of tables/pytorch.py that this version of torch has; those about the same outputs as one fact."""
    found: list[Fact] = []
    for probe in PROBES:
        try:
            with Calls() as calls:
                probe.function(torch.tensor(probe.wrong[0], dtype=torch.float64))
        except AttributeError:
            continue
        fact = measure(probe)
        fact = replace(fact, names=tuple(name for name, behind in calls.seen.items() if behind.meets(fact)))
        if not fact.forward and not fact.reverse:
            continue
        same = next((k for k, other in enumerate(found) if about(other) == about(fact)), None)
        if same is None:
            found.append(fact)
        else:
            found[same] = joined(found[same], fact)
    return found


def about(fact: Fact) -> tuple[Any, ...]:
    """Facts with the same are one: other outputs that are as wrong, or other forms of the operator."""
    return fact.operator, fact.where, bool(fact.nodes), fact.forward, fact.reverse


def joined(a: Fact, b: Fact) -> Fact:
    """Two measurements of the same."""
    return replace(
        a, **{name: tuple(sorted({*getattr(a, name), *getattr(b, name)})) for name in ("outputs", "nodes", "names")}
    )


def write(facts: Iterable[Fact], functions: Mapping[str, Reached], names: Iterable[str]) -> None:
    """Write the table: ``facts`` with the names of the functions that meet them, and the ``names`` of verified functions."""
    lines = []
    for fact in sorted(facts, key=lambda f: (f.operator, f.outputs, f.where)):
        fields = {**vars(fact), "names": sorted(named(fact, functions))}
        lines.append(
            json.dumps({k: v for k, v in fields.items() if v not in ((), [], "", 0, False)}, ensure_ascii=False)
        )
    listing = (f'"{name}": {VERIFIED_ORDER}' for name in sorted(names))
    version = torch.__version__.partition("+")[0]
    TABLE.write_text(
        f'{{"torch": "{version}",\n"facts": [\n'
        + ",\n".join(lines)
        + '\n],\n"verified": {\n'
        + ",\n".join(listing)
        + "\n}}\n",
        encoding="utf-8",
    )


def named(fact: Fact, functions: Mapping[str, Reached]) -> set[str]:
    """The functions that meet a fact, or would with other options and are other spellings of these.

    Functions that were not called are kept from the table as it stands, or are found by the registry's spellings.
    """
    known = {name: behind for name, behind in functions.items() if behind.lifted != "metadata"}
    before = {name for old in all_facts() if about(old) == about(fact) for name in old.names}
    met = {name for name in known if known[name].meets(fact)}
    found = {*fact.names, *met, *(before - functions.keys())}
    short = {last(name) for name in found}
    alike = {name_of(f) for name in short for end in ("", "_") for f in spellings(name + end)} - {None, *functions}
    called = {name for name in known if last(name) in short and known[name].may_meet(fact)}
    return {str(name) for name in found | called | alike}


def last(name: str) -> str:
    """pow for torch.Tensor.pow_."""
    return name.rpartition(".")[2].rstrip("_")


if __name__ == "__main__":
    by_cases = reached()
    functions = dict(by_cases)
    merge(functions, reached_in_the_database())
    write(measured(), functions, {*listed(by_cases), *verified()})
