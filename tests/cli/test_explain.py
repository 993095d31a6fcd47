"""``apolar explain``: formulas and functions in files, every form, both languages, and errors."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from apolar.cli import main


def run(*arguments):
    return CliRunner().invoke(main, ["explain", *map(str, arguments)])


def test_the_steps_as_text():
    result = run("cos(x^2)", "--at", "x=0.5", "--order", "2")
    assert result.exit_code == 0, result.output
    assert "  v̄₁ = v̄₂·∂v₂/∂v₁ = v̄₂·(-sin(v₁)) = 1·(-0.247404) = -0.247404\n" in result.output
    assert "  f″ = -4·x²·cos(x²) - 2·sin(x²) = -1.463720\n" in result.output
    assert "\x1b" not in result.output


def test_in_chinese():
    assert "反向传播" in run("x^2", "--at", "x=1", "--lang", "zh").output


def test_as_json():
    found = json.loads(run("-x*y", "--at", "x=2,y=3", "--json").output)
    assert [entry["value"] for entry in found["derivatives"]] == [-3, -2]


@pytest.mark.parametrize("option, start", [("--latex", r"\documentclass{article}"), ("--dot", "digraph {")])
def test_other_forms(option, start):
    assert run("x^2", "--at", "x=1", option).output.startswith(start)


def test_a_page(tmp_path):
    result = run("x^2", "--at", "x=1", "--html", tmp_path / "page.html")
    assert result.output == f"{tmp_path / 'page.html'}\n"
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_function_in_a_file(tmp_path):
    (tmp_path / "model.py").write_text("def energy(p):\n    return p[0] * p[1] ** 2\n")
    result = run(f"{tmp_path}/model.py:energy", "--at", "x=1,y=3", "--json")
    assert json.loads(result.output)["derivatives"] == [{"by": ["p"], "value": [9, 6]}]


def test_a_module_in_a_file(tmp_path):
    (tmp_path / "model.py").write_text("import torch\n\nnet = torch.nn.Linear(2, 1)\n")
    found = json.loads(run(f"{tmp_path}/model.py:net", "--at", "x=1,y=3", "--json").output)
    assert [entry["by"] for entry in found["derivatives"]] == [["x"], ["weight"], ["bias"]]
    assert found["derivatives"][1]["value"] == [[1, 3]]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("x*y", "--at", "x=1"), "a value is missing for y"),
        (("x", "--at", "x=1,z=2"), "z does not occur"),
        (("sinn(x)", "--at", "x=1"), "did you mean sin?"),
        (("x^2", "--at", "x=1", "--order", "0"), "--order"),
        (("missing.py:f", "--at", "x=1"), "there is no file"),
    ],
)
def test_refusals(arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_help_has_an_example():
    assert 'apolar explain "cos(x^2)" --at x=0.5 --order 2' in run("--help").output
