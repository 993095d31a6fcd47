"""Findings and diagnoses: their texts in both languages, HTML and JSON, and the table in the documentation."""

from __future__ import annotations

import json
import re
from pathlib import Path
from string import Formatter

import pytest
import torch

import apolar as ap
from apolar.diagnosis import causes, finding
from apolar.diagnosis.causes import CAUSES, REMEDIES
from apolar.diagnosis.finding import DOMAIN, Diagnosis, Finding
from apolar.text.languages import translate

TEXTS = [
    *(text for cause in CAUSES.values() for text in (cause.seen, cause.why, cause.fix)),
    *dict.fromkeys(text for remedy in REMEDIES.values() for text in (remedy.why, remedy.fix)),
]
PAGE = (Path(__file__).parents[2] / "docs" / "diagnose.md").read_text(encoding="utf-8")


def detached() -> Diagnosis:
    x = torch.ones(2, requires_grad=True)
    with ap.watch() as d:
        y = x.detach().sum()
        with pytest.raises(RuntimeError):
            y.backward()
    return d


def test_a_finding_says_everything():
    (found,) = detached().findings
    assert (found.code, found.source) == ("detach", "y = x.detach().sum()")
    assert found.file == __file__
    text = found.text()
    assert all(part in text for part in (found.code, f"{found.file}:{found.line}", found.source, found.seen, found.why))


def test_json_and_html():
    d = detached()
    data = json.loads(d.to_json())
    assert data["healthy"] is False
    assert data["findings"][0].keys() == {"code", "seen", "file", "line", "source", "why", "fix"}
    assert "<code>detach</code>" in d._repr_html_()
    assert json.loads(Diagnosis().to_json()) == {"healthy": True, "findings": [], "failures": []}


def test_healthy_is_said():
    assert "Nothing was found" in repr(Diagnosis())
    assert "Nothing was found" in Diagnosis()._repr_html_()


@pytest.mark.parametrize("text", TEXTS)
def test_chinese_keeps_the_placeholders(text):
    shown = translate(text, DOMAIN, "zh")
    assert re.search("[一-鿿]", shown)
    assert _placeholders(shown) == _placeholders(text)


def _placeholders(text: str) -> set[str | None]:
    return {name for _, name, _, _ in Formatter().parse(text)} if "{" in text else set()


@pytest.mark.parametrize("code", CAUSES)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_cause_can_be_shown(code, lang):
    text = Finding(code, values=dict.fromkeys(filter(None, _placeholders(CAUSES[code].seen)), 2)).text(lang)
    assert text.startswith(code)


@pytest.mark.parametrize("code", CAUSES)
def test_the_page_lists_every_code(code):
    assert f"| `{code}` |" in PAGE


def test_the_page_lists_no_other_code():
    assert set(re.findall(r"^\| `([\w-]+)` \|", PAGE, re.MULTILINE)) == set(CAUSES)


def test_codes_of_cuts_are_codes():
    assert set(CAUSES) >= causes.CUTS
    assert finding.DOMAIN == "diagnosis"


@pytest.mark.parametrize("code", ["nonfinite-value", "nonfinite-gradient", "nonfinite-second-derivative"])
@pytest.mark.parametrize(
    "name, wanted, unwanted",
    [
        ("pow", "**", "log"),
        ("__pow__", "**", "log"),
        ("linalg_eigh", "eigvalsh", "sqrt"),
        ("log", "torch.log", "sqrt"),
        ("sqrt", "torch.sqrt", "log"),
        ("div", "a / ", "log"),
        ("acos", "clamp(-1", "sqrt"),
        ("linalg_vector_norm", "norm", "log"),
        ("cumprod", "torch.where", "sqrt"),
    ],
)
def test_a_fix_is_about_the_function(code, name, wanted, unwanted):
    found = Finding(code, values={"name": name, "order": 2})
    assert wanted in found.fix
    assert unwanted not in found.fix + found.why
