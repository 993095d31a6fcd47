"""Every script with a fault: the right code at the right line and nothing else; every healthy one: nothing."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

import apolar as ap
from apolar.diagnose.causes import CAUSES
from tests.diagnose.cases import FOLDER, SCRIPTS, diagnosed, expected

NAMES = [str(script.relative_to(FOLDER)) for script in SCRIPTS]
CLOTHES = Counter(script.parent.name for script in SCRIPTS)


@pytest.mark.parametrize("script", SCRIPTS, ids=NAMES)
def test_finds_the_code_at_the_line_and_nothing_else(script):
    diagnosis, error = diagnosed(script)
    assert {(f.code, f.line) for f in diagnosis.findings} == expected(script)
    assert all(f.file == str(script) for f in diagnosis.findings)
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
