"""``apolar plan``: the sizes that the algebra must have."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from apolar.cli import main


def run(*arguments):
    return CliRunner().invoke(main, ["plan", *arguments])


@pytest.mark.parametrize(
    "operators, components, full",
    [
        (["dx^2 + dy^2"], 4, 6),
        (["dt - 0.1*(dx^2 + dy^2)"], 4, 10),
        (["dx", "dt", "dx^2"], 4, 6),
        (["dt", "dx", "dx^3"], 5, 10),
        (["(dx^2 + dy^2)^2"], 9, 15),
        (["dx*dy"], 4, 6),
        (["laplacian", "--coordinates", "x y z"], 5, 10),
        (["dx", "--coordinates", "x y z"], 2, 2),
        (["dx^2", "dx*dy", "dy^2"], 6, 6),
    ],
)
def test_components(operators, components, full):
    result = run(*operators, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert (found["components"], found["full_jet"]) == (components, full)
    assert len(found["basis"]) == components


def test_as_text():
    result = run("(dx^2 + dy^2)^2")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[:4] == [
        "operator     ∂x⁴ + 2 ∂x²∂y² + ∂y⁴",
        "coordinates  x, y",
        "order        4",
        "components   9, 6 fewer than all derivatives up to order 4 (15)",
    ]
    assert lines[4] == "carried      1"
    assert len(lines) == 4 + 9


def test_nothing_to_save():
    assert "3, all derivatives: nothing to save" in run("dx^2").output


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["dx + "], "not a formula"),
        (["laplacian"], "no coordinate is named"),
        (["dz", "--coordinates", "x y"], "the symbols are dx, dy"),
        (["dx", "--coordinates", "x x"], "different names"),
        ([], "Missing argument"),
    ],
)
def test_refuses_with_one_message(arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_help_has_an_example():
    assert 'apolar plan "(dx^2 + dy^2)^2"' in run("--help").output
