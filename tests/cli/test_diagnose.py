"""``apolar diagnose``: runs a script as Python would, and shows what was found."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from apolar.cli import main

SCRIPTS = Path(__file__).parents[1] / "diagnosis" / "scripts"


def run(*arguments):
    return CliRunner().invoke(main, ["diagnose", *map(str, arguments)])


def test_an_error_keeps_its_traceback_and_its_exit_status():
    result = run(SCRIPTS / "graph-freed" / "two_losses.py")
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert "apolar" not in result.stderr.split("Trying to backward")[0].replace("apolar/tests", "")[:200]
    assert "graph-freed" in result.stdout


def test_a_healthy_script():
    result = run(SCRIPTS / "healthy" / "lbfgs.py")
    assert result.exit_code == 0
    assert "Nothing was found" in result.stdout


def test_json_and_language():
    result = run("--json", "--lang", "zh", SCRIPTS / "detach" / "none.py")
    found = json.loads(result.stdout)
    assert [(f["code"], f["line"]) for f in found["findings"]] == [("detach", 5)]
    assert "计算图" in found["findings"][0]["seen"]


@pytest.mark.parametrize("leave, status", [("sys.exit(3)", 3), ("sys.exit()", 0), ("sys.exit('no')", 1), ("1 / 0", 1)])
def test_exit_status(tmp_path, leave, status):
    script = tmp_path / "leave.py"
    script.write_text(f"import sys\n{leave}\n")
    assert run(script).exit_code == status


def test_arguments_and_neighbours_reach_the_script(tmp_path):
    (tmp_path / "neighbour.py").write_text("NAME = 'neighbour'\n")
    (tmp_path / "main.py").write_text("import sys\nfrom neighbour import NAME\nprint(NAME, sys.argv[1:], __name__)\n")
    result = run(tmp_path / "main.py", "--epochs", "3", "--json")
    assert "neighbour ['--epochs', '3', '--json'] __main__" in result.stdout


def test_a_file_that_is_not_there():
    result = run("missing.py")
    assert result.exit_code == 2
    assert "there is no file missing.py" in result.stderr


@pytest.mark.parametrize("name, code, status", [("item/sine", "item", 0), ("leaf-in-place/add", "leaf-in-place", 1)])
def test_from_the_shell(name, code, status):
    command = [sys.executable, "-W", "ignore", "-c", "from apolar.cli import main; main()", "diagnose"]
    result = subprocess.run([*command, str(SCRIPTS / f"{name}.py")], capture_output=True, text=True, check=False)
    assert result.returncode == status
    assert code in result.stdout
