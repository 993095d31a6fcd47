"""``apolar demo``: every answer agrees, and an answer that does not is noticed."""

from __future__ import annotations

import dataclasses
import functools
import json
import math

import pytest
import torch
from click.testing import CliRunner

from apolar.cli import main, questions
from apolar.cli.questions import QUESTIONS, Answer


@pytest.fixture
def one_round(monkeypatch):
    """Times do not matter here."""
    monkeypatch.setattr(questions, "_race", functools.partial(questions._race, rounds=1))


@pytest.mark.usefixtures("one_round")
@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.answers.__name__.strip("_"))
def test_every_answer_agrees(question):
    for answer in question.answers():
        assert answer.agrees, f"{answer.call}: {answer.value} instead of {answer.exact}"


def test_there_are_nine_questions():
    assert len(QUESTIONS) == 9


@pytest.fixture
def two_questions(monkeypatch):
    monkeypatch.setattr(questions, "QUESTIONS", QUESTIONS[:2])


@pytest.mark.usefixtures("two_questions")
def test_as_text():
    result = CliRunner().invoke(main, ["demo"])
    assert result.exit_code == 0
    assert "ap.derivative(f, order=2)(x)   apolar   16\n" in result.output
    assert "✓ All 7 answers agree with the exact values." in result.output.splitlines()[-1]


@pytest.mark.usefixtures("two_questions")
def test_as_json():
    result = CliRunner().invoke(main, ["demo", "--json"])
    found = json.loads(result.output)
    assert found["all_agree"] is True
    assert found["questions"][0]["answers"][0]["value"] == 16
    assert found["questions"][1]["answers"][0]["exact"][1][1][1] == -math.sin(1)


def test_a_wrong_answer_is_an_error(monkeypatch):
    wrong = dataclasses.replace(QUESTIONS[0], answers=lambda: iter([_answer(16.001)]))
    monkeypatch.setattr(questions, "QUESTIONS", [wrong])
    result = CliRunner().invoke(main, ["demo"])
    assert result.exit_code == 1
    assert "✗ off by 6.2e-05" in result.output
    assert "✗ 1 of 1 answers differ from the exact values: call" in result.output
    assert CliRunner().invoke(main, ["demo", "--json"]).exit_code == 1


def _answer(value):
    return Answer("call", torch.as_tensor(value), torch.tensor(16.0), "formula")


@pytest.mark.parametrize("value", [math.nan, math.inf, [16.0], 16.0 + 1e-4])
def test_answers_that_do_not_agree(value):
    assert not _answer(value).agrees


def test_help_has_an_example():
    assert "apolar demo --json" in CliRunner().invoke(main, ["demo", "--help"]).output
