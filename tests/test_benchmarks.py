"""Every benchmark runs at tiny sizes, has its rows, and finds no method that disagrees; results survive their JSON file."""

from __future__ import annotations

import contextlib
import importlib
from pathlib import Path

import pytest
import torch
from benchmarks import report
from benchmarks.__main__ import QUESTIONS
from benchmarks.suite import cases, memory, table, timing
from benchmarks.suite.floor import shapes
from benchmarks.suite.measure import AGREEMENT, Effort, Patience, disagreement, measure
from benchmarks.suite.peers import PEERS, LeftOut, Peer
from benchmarks.suite.problem import Problem
from benchmarks.suite.results import NESTED, Method, Results, Row

CHEAP = {"width", "networks"}
"""Where all of torch's own methods take part; elsewhere nested reverse mode is enough."""


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_prints_its_table(
    question: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    module, path = importlib.import_module(f"benchmarks.{question}"), tmp_path / "results.json"
    peers = "nested, vmap(hessian), jvp∘grad" if question in CHEAP else "nested"
    results = module.run(["--quick", "--threads", "1", "--peers", peers, "--json", str(path)])
    printed = capsys.readouterr().out
    assert len(results.rows) == len(module.PROBLEMS)
    for row in results.rows:
        assert not row.wrong
        assert row.ours.ms
        assert row.label in printed
    timed = [name for row in results.rows for name, method in row.methods.items() if method.ms]
    assert {"apolar", "nested"} <= set(timed)
    assert Results.load(path) == results


# Each kind of derivative: first, mixed and high ones, powers of the Laplacian, Laplacians of several unknowns.
ALL_KINDS = (cases.BURGERS, cases.SECOND_DERIVATIVES, cases.biharmonic(2), cases.NAVIER_STOKES, cases.nth(3))


@pytest.mark.parametrize("case", ALL_KINDS, ids=lambda case: case.name)
def test_peers_that_are_installed_agree_in_float64(case: cases.Case) -> None:
    problem = Problem(case, 3, width=4, dtype=torch.float64)
    ours, *others = PEERS
    reference = ours.prepare(problem)()
    for peer in others:
        if peer.counted and "compiled" not in peer.name:  # the compilers would take a minute
            with contextlib.suppress(LeftOut):
                assert disagreement(peer.prepare(problem)(), reference) < 1e-10, peer.name


def test_a_wrong_peer_is_reported_and_not_timed() -> None:
    wrong = Peer("wrong", lambda problem: lambda: [2 * x for x in PEERS[0].prepare(problem)()])
    broken = Peer("broken", lambda problem: [][0])
    row = measure(Problem(cases.laplacian(2), 5, width=4), (PEERS[0], wrong, broken), Effort(1, 1), Patience())
    assert row.wrong == ["wrong"]
    assert row.methods["wrong"].ms is None
    assert "wrong by 1e+00" in table.plain([row])
    assert "[1] broken: IndexError" in table.plain([row])
    assert "[1] broken: IndexError" in table.markdown([row])


def test_a_peer_that_grows_too_fast_is_not_tried_again() -> None:
    patience, nested = Patience(), next(p for p in PEERS if p.name == NESTED)
    for order, seconds in ((1, 0.1), (2, 1.0)):
        patience.note(nested, Problem(cases.nth(order), 1), seconds)
    patience.check(nested, Problem(cases.nth(3), 1), limit=5)
    with pytest.raises(LeftOut, match="nested grew 10-fold from order 1 to 2"):
        patience.check(nested, Problem(cases.nth(5), 1), limit=5)


def test_a_difference_is_relative_to_the_largest_entry_and_sees_what_is_not_finite() -> None:
    one, small = torch.ones(()), torch.tensor([1e-8, 100.0])
    assert disagreement([one, small + 1], [one, small]) == pytest.approx(0.01)
    assert disagreement([one, small * float("nan")], [one, small]) == float("inf")
    assert not float("inf") <= AGREEMENT[torch.float32]


def test_the_floor_counts_hidden_layers_and_activations() -> None:
    products, activations = shapes(Problem(cases.laplacian(2), 10))
    assert products == [(4 * 10, 64, 64)] * 3
    assert activations == [(4 * 10, 64)] * 4


def test_memory_is_that_of_tensors_at_their_peak() -> None:
    def three_tensors_of_which_two_at_a_time() -> torch.Tensor:
        x = torch.zeros(1000, dtype=torch.float64)
        for _ in range(2):
            x = x.clone()
        return x

    assert 16_000 <= memory.peak(three_tensors_of_which_two_at_a_time, "cpu") < 17_000


def test_times_are_medians_with_quartiles() -> None:
    assert timing.Times.of([1.0, 5.0, 2.0, 3.0, 4.0]) == timing.Times(3.0, 2.0, 4.0, 5)
    assert timing.Times.of([7.0]) == timing.Times(7.0, 7.0, 7.0, 1)


def test_bars_stand_beside_the_ratios() -> None:
    methods = {"apolar": Method(ms=1.0, bytes=10), "nested": Method(ms=3.0, bytes=15), "folx": Method(ms=1.5)}
    methods["JAX jet"] = Method(ms=2.0)
    row = Row("Laplacian", 4, 2, methods, floor=0.5, bar={"nested": 2.8, "best": 1.1, "floor": 1.6, "memory": 2.0})
    shown = table.plain([row])
    for cell in ("3.00 ≥ 2.8 ✓", "2.00 ≤ 1.6 ✗", "1.50 ≥ 2 ✗", "folx 1.50 ≥ 1.1 ✓"):
        assert cell in shown


def test_the_report_stands_between_its_markers(tmp_path: Path) -> None:
    row = Row("Laplacian d=2", 4, 2, {"apolar": Method(ms=1.0), "nested": Method(reason="too slow")})
    found = Results("points", {"processor": "a processor", "packages": {"torch": "2"}}, {"repeats": 15}, [row])
    found.save(tmp_path / "a-machine" / "points.json")
    before = report.PAGE.read_text(encoding="utf-8")
    after = report.page(before, tmp_path)
    assert "## a-machine" in after
    assert "| Laplacian d=2 | 4 |" in after
    assert "[1] too slow" in after
    assert report.page(after, tmp_path) == after
    assert report.page(after, tmp_path / "nothing").count("No results are stored yet") == 1
