"""The command line of every benchmark: measure the problems of a question, print the table, keep it as JSON."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from . import machine, table
from .measure import Effort, Patience, measure
from .peers import PEERS, Peer
from .results import OURS, Results

RESULTS = Path(__file__).resolve().parents[1] / "results"
QUICK = Effort(repeats=2, warmup=1, seconds=0.5, limit=0.1)


def main(
    question: str,
    text: str | None,
    problems: Sequence[Any],
    rising: bool = False,
    peers: Sequence[Peer] = PEERS,
    argv: Sequence[str] | None = None,
) -> Results:
    """Measure, print and keep.

    Args:
        question: the name of the file; ``text``: what it says about itself.
        problems: the rows.
        rising: each row costs more than the one before, so that methods which became too slow are not tried again.
    """
    options = read(question, text, peers, argv)
    if options.pin and options.threads < (os.cpu_count() or 1) and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, range(options.threads))  # JAX asks for the number of cores, and knows no other way
    torch.set_num_threads(options.threads)
    asked = [p.strip() for p in options.peers.split(",")] if options.peers else [p.name for p in peers]
    chosen = [p for p in peers if p.name == OURS or p.name in asked]
    effort = Effort(options.repeats, options.warmup, options.seconds, options.limit) if not options.quick else QUICK
    described = machine.description(options.device, options.threads)
    print((text or "").splitlines()[0])
    print(", ".join(f"{key} {value}" for key, value in described.items() if not isinstance(value, dict)), "\n")
    patience, rows = Patience(), []
    for problem in problems:
        at = problem.on(options.device)
        rows.append(measure(at.small() if options.quick else at, chosen, effort, patience))
        if not rising:
            patience = Patience()
        if sys.stderr.isatty():
            print(f"\r\033[K{len(rows)} of {len(problems)} rows", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    print(table.plain(rows), flush=True)
    results = Results(question, described, {**asdict(effort), "device": options.device, "quick": options.quick}, rows)
    path = options.json or (None if options.quick else RESULTS / machine.folder(options.device) / f"{question}.json")
    if path:
        results.save(path)
        print(f"\n{path}")
    return results


def read(question: str, text: str | None, peers: Sequence[Peer], argv: Sequence[str] | None) -> argparse.Namespace:
    effort = Effort()
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{question}", description=text)
    parser.add_argument("--repeats", type=int, default=effort.repeats, help="repetitions, interleaved (%(default)s)")
    parser.add_argument("--warmup", type=int, default=effort.warmup, help="calls before them (%(default)s)")
    parser.add_argument("--seconds", type=float, default=effort.seconds, help="after which 5 repetitions will do")
    parser.add_argument("--limit", type=float, default=effort.limit, help="seconds of a call that are too many")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="(%(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--peers", help=f"some of: {', '.join(p.name for p in peers)}; all by default")
    parser.add_argument("--json", type=Path, help="where to; by default benchmarks/results/<machine>/<question>.json")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that everything runs; nothing is kept")
    parser.set_defaults(pin=argv is None)
    return parser.parse_args(argv)
