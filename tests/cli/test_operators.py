"""``apolar operators``: the list, and a part of it."""

from __future__ import annotations

import json

from click.testing import CliRunner

import apolar as ap
from apolar.cli import main


def run(*arguments):
    return CliRunner().invoke(main, ["operators", *arguments])


def test_lists_all():
    result = run()
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0].split() == ["function", "rule", "verified", "PyTorch"]
    assert ["torch.tanh", "elementwise", "to", "order", "4", "—"] in [line.split() for line in lines]
    assert any(line.startswith("torch.linalg.det ") and "forward wrong from order 2" in line for line in lines)
    assert lines[-1].startswith(f"{len(ap.supported_operators())} functions, ")


def test_a_part():
    found = json.loads(run("layer_norm", "--json").output)
    (entry,) = (entry for entry in found if entry["name"] == "torch.nn.functional.layer_norm")
    assert (entry["rule"], entry["verified_order"]) == ("composite", 4)
    assert all("layer_norm" in entry["name"] for entry in found)


def test_by_rule():
    assert {entry["rule"] for entry in json.loads(run("bilinear", "--json").output)} >= {"bilinear"}


def test_nothing_found():
    result = run("frobnicate")
    assert result.exit_code == 2
    assert "no function with a rule has 'frobnicate' in its name" in result.stderr
