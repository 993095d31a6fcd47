"""Every script with a fault: the right code at the right line and nothing else; every healthy one: nothing."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

import apolar as ap
from apolar.diagnosis import marking, nonfinite
from apolar.diagnosis.causes import CAUSES
from tests.diagnosis.cases import FOLDER, SCRIPTS, diagnosed, expected

NAMES = [str(script.relative_to(FOLDER)) for script in SCRIPTS]
CLOTHES = Counter(script.parent.name for script in SCRIPTS)


@pytest.mark.parametrize("script", SCRIPTS, ids=NAMES)
def test_finds_the_code_at_the_line_and_nothing_else(script):
    diagnosis, error = diagnosed(script)
    assert {(f.code, f.line) for f in diagnosis.findings} == expected(script)
    assert all(f.file == str(script) for f in diagnosis.findings)
    assert diagnosis.failures == []
    assert error is None or script.parent.name != "healthy"


@pytest.mark.parametrize("code", sorted(CAUSES.keys() - {"gradient-differs"}))
def test_every_cause_comes_in_two_clothes(code):
    assert CLOTHES[code] >= 2


def test_a_script_behaves_under_watch_as_without():
    def training() -> list[float]:
        torch.manual_seed(0)
        net = torch.nn.Linear(2, 1)
        optimizer = torch.optim.Adam(net.parameters())
        losses = []
        for _ in range(3):
            optimizer.zero_grad()
            loss = net(torch.randn(4, 2)).square().mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    plain = training()
    with ap.watch() as d:
        watched = training()
    assert watched == plain
    assert d.healthy


def test_what_is_replaced_is_put_back():
    before = (torch.no_grad.__enter__, torch.from_numpy, torch.optim.Optimizer.add_param_group)
    with pytest.raises(ZeroDivisionError), ap.watch():
        1 / 0
    assert before == (torch.no_grad.__enter__, torch.from_numpy, torch.optim.Optimizer.add_param_group)


def test_an_error_of_the_analysis_is_reported_and_does_not_reach_the_code(monkeypatch):
    def broken(*_):
        raise KeyError("of the analysis")

    monkeypatch.setattr(marking, "_passed_on", broken)
    monkeypatch.setattr(nonfinite, "_tell", broken)
    with ap.watch() as d:
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        (g,) = torch.autograd.grad((x**3).sum(), x, create_graph=True)
        with pytest.raises(ValueError, match="of the code"):
            raise ValueError("of the code")
    assert g.tolist() == [3.0, 12.0]
    assert not d.healthy
    assert not d.findings
    assert "of the analysis" in d.failures[0]
    assert "Please report" in d.text()
    assert "Please report" in d._repr_html_()
    assert "请" in d.text("zh")
    assert "Nothing was found" not in d.text()


def test_a_view_written_without_recording_stays_as_usable_as_without_a_watch():
    w = torch.nn.Parameter(torch.ones(3))
    with ap.watch() as d:
        with torch.no_grad():
            row = w[0]
            row.fill_(0.0)
            row.add_(1)
        (w**2).sum().backward()
    assert w.tolist() == [1.0, 1.0, 1.0]
    assert d.healthy


def test_no_tensor_is_kept_alive():
    import gc
    import weakref

    with ap.watch():
        x = torch.ones(3, requires_grad=True)
        y = (x.sin() * x.detach()).sum()
        y.backward()
        y.item()
        alive = [weakref.ref(x), weakref.ref(y)]
        del x, y
        gc.collect()
        assert [ref() for ref in alive] == [None, None]
