"""``apolar check``: functions in files, right and wrong, and files that cannot be read."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from apolar.cli import main

FILE = """
import torch
from scale import FACTOR

def energy(p):
    return FACTOR * torch.sin(p[..., 0]) * p[..., 1] ** 2

class Wave(torch.nn.Module):
    pass

def kink(p):
    return torch.relu(p).sum(-1)

def failing(p):
    raise ValueError("on purpose")

net = torch.nn.Linear(2, 1, dtype=torch.float64)
number = 3
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "scale.py").write_text("FACTOR = 2\n")
    (tmp_path / "model.py").write_text(FILE)
    (tmp_path / "broken.py").write_text("1 / 0\n")
    return tmp_path / "model.py"


def run(*arguments):
    return CliRunner().invoke(main, ["check", *map(str, arguments)])


@pytest.mark.parametrize("function", ["energy", "net"])
def test_right_derivatives(file, function):
    result = run(f"{file}:{function}", "--at", "x=1,y=pi/2", "--operator", "dx^2 + dy^2", "--operator", "dx")
    assert result.exit_code == 0, result.output
    assert "∂x² + ∂y²" in result.output


def test_default_operators_and_json(file):
    result = run(f"{file}:energy", "--at", "x=1", "--at", "y=2", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert found["ok"] is True
    assert found["at"] == {"x": 1, "y": 2}
    assert [entry["operator"] for entry in found["operators"]] == ["∂x", "∂y", "∂x²", "∂x∂y", "∂y²"]
    assert all(entry["ok"] for entry in found["operators"])


def test_what_is_in_doubt_is_not_ok(file):
    result = run(f"{file}:kink", "--at", "x=0,y=2", "--operator", "dx", "--operator", "dy")
    assert result.exit_code == 1
    assert "in doubt: finite differences disagree" in result.stdout
    assert "right: both references agree" in result.stdout


@pytest.mark.parametrize(
    "target, message",
    [
        ("missing.py:f", "there is no file missing.py"),
        ("{folder}/model.py:enregy", "did you mean energy?"),
        ("{folder}/model.py:number", "number in"),
        ("{folder}/model.py:Wave", "not a function of points"),
        ("{folder}/model.py", "write FILE.py:function"),
        ("{folder}/broken.py:f", "ZeroDivisionError: division by zero"),
        ("{folder}/model.py:failing", "on purpose"),
    ],
)
def test_refuses_with_one_message(file, target, message):
    result = run(target.format(folder=file.parent), "--at", "x=1,y=2")
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_help_has_an_example():
    assert "apolar check model.py:energy --at x=1,y=2" in run("--help").output
