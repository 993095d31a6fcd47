"""docs/cli.md: every ``$ apolar`` line prints what stands below it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from apolar.cli import main

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
BLOCKS = re.findall(r"```console\n\$ apolar (.*)\n((?:.*\n)*?)```", PAGE.read_text())


@pytest.mark.parametrize("arguments, printed", BLOCKS, ids=[arguments for arguments, _ in BLOCKS])
def test_prints_what_the_page_says(arguments, printed):
    assert CliRunner().invoke(main, shlex.split(arguments)).output == printed


def test_there_are_examples():
    assert len(BLOCKS) >= 7
