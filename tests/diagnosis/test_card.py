"""Cards: what is said of a tensor is what PyTorch does with it."""

from __future__ import annotations

import pytest
import torch

import apolar as ap
from apolar.diagnosis.card import ANSWER

leaf = torch.tensor([1.0, 2.0], requires_grad=True)
kept = leaf * 2
kept.retain_grad()
with torch.inference_mode():
    inference = torch.ones(2)

TENSORS = {
    "leaf": leaf,
    "retained": kept,
    "intermediate": leaf * 3,
    "constant": torch.ones(2),
    "integer": torch.tensor([1]),
    "inference": inference,
}


@pytest.mark.parametrize("answer", ANSWER)
def test_the_answer(answer):
    assert ap.inspect(TENSORS[answer]).answer == ANSWER[answer]


@pytest.mark.parametrize("answer", ["leaf", "retained", "intermediate"])
def test_a_gradient_that_can_be_had_is_had(answer):
    x = TENSORS[answer]
    assert torch.autograd.grad((x**2).sum(), x)[0].tolist() == (2 * x).tolist()


def test_versions_and_values():
    x = torch.zeros(3)
    x += 1
    card = ap.inspect(x)
    assert card.values["version"] == str(x._version)
    assert "written in place" in card.meanings["version"]
    assert "NaN" in ap.inspect(x / 0).meanings["value"]


def test_the_line_is_known_under_watch():
    with ap.watch():
        y = torch.sin(leaf)
    assert "test_card.py" in ap.inspect(y).values["grad_fn"]


def test_other_forms():
    assert "叶子" in ap.inspect(leaf, lang="zh").text() + ap.inspect(leaf).text("zh")
    assert ap.inspect(leaf)._repr_html_().startswith("<table>")


def test_what_is_no_tensor_is_refused():
    with pytest.raises(ap.DtypeError, match=r"got float: make one with torch\.tensor"):
        ap.inspect(2.0)
