"""``python -m tests.sweep``: every sample of every operator, and random programs, against the references.

Writes docs/operators.md and the table of facts, and fails if anything is wrong, or if PyTorch is where no fact says so. With
names of entries only these are judged, and nothing is written.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch

from tests.rules.facts import reached

from . import report
from .database import entries
from .entry import Entry, judge_entry
from .judge import Verdict
from .programs import judge_seed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sweep", description=__doc__)
    parser.add_argument("entries", nargs="*", help="names in PyTorch's database; all by default")
    parser.add_argument("--programs", type=int, default=2000, help="how many random programs")
    parser.add_argument("--workers", type=int, default=2, help="how many processes")
    options = parser.parse_args()
    if unknown := set(options.entries) - entries().keys():
        parser.error(f"no such entries: {sorted(unknown)}")
    start = time.monotonic()
    cases = reached()
    with ProcessPoolExecutor(options.workers, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        operators = pool.map(judge_entry, options.entries or entries())
        drawn = pool.map(judge_seed, range(0 if options.entries else options.programs), chunksize=25)
        found = [show(entry) for entry in operators]
        programs = list(drawn)
    for verdict in programs:
        if verdict.answer in ("wrong", "refused"):
            print(f"{verdict.sample}: {verdict.answer}: {verdict.reason}")
    print(f"{summary(found, programs)} in {(time.monotonic() - start) / 60:.1f} minutes")
    if not options.entries:
        report.write(found, programs, cases)
    return 0 if report.right(found, programs) else 1


def show(entry: Entry) -> Entry:
    """Print what is not verified, the first of a kind, and where PyTorch is wrong unexpectedly."""
    if entry.answer in ("wrong", "refused"):
        counts = ", ".join(f"{count} {answer}" for answer, count in entry.counts.items())
        print(
            f"{entry.name}: {counts}", *(f"    {v.sample}: {v.reason}" for v in entry.examples()), sep="\n", flush=True
        )
    for line in entry.unexplained():
        print(line, flush=True)
    return entry


def summary(found: Sequence[Entry], programs: Sequence[Verdict]) -> str:
    """How many operators and programs got which answer."""
    kinds = {"operators": Counter(e.answer for e in found), "random programs": Counter(v.answer for v in programs)}
    return "; ".join(
        f"{sum(c.values())} {kind}: " + ", ".join(f"{n} {a}" for a, n in c.items()) for kind, c in kinds.items()
    )


if __name__ == "__main__":
    sys.exit(main())
