"""The ``apolar`` command as a whole."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

import apolar
from apolar.cli import main


def test_commands():
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    for command in ("check", "demo", "derive", "operators", "plan"):
        assert command in result.output


def test_version():
    assert apolar.__version__ in CliRunner().invoke(main, ["--version"]).output


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_has_help_with_an_example_and_json(command):
    result = CliRunner().invoke(main, [command, "--help"])
    assert result.exit_code == 0
    assert f"\n  apolar {command}" in result.output
    assert ("--json" in result.output) == (command != "serve")  # which gives a page, and no result


def test_from_the_shell():
    code = "from apolar.cli import main; main()"
    result = subprocess.run(
        [sys.executable, "-c", code, "derive", "x +", "--at", "x=1"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.splitlines() == ["Error: this is not a formula: invalid syntax", "  x +", "  ^"]
