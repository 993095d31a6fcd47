"""What an import brings: every public name, whatever was imported before; nothing that is not needed; extras by their names."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import apolar as ap

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "src"


def run(code: str, *without: str) -> str:
    """What a fresh interpreter prints that runs the code, and in which some packages are not installed."""
    blocked = f"import sys; sys.modules.update(dict.fromkeys({without!r}))\n"
    done = subprocess.run([sys.executable, "-c", blocked + code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


# ----------------------------------------------------------------------------------------------------------- the names


def test_the_table_and_the_imports_for_type_checkers_agree() -> None:
    tree = ast.parse(inspect.getsource(ap))
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    assert len(imports) == len(block.body)
    assert all(alias.asname == alias.name for node in imports for alias in node.names)  # which makes it public
    assert {str(node.module): {alias.name for alias in node.names} for node in imports} == {
        module: set(names.split()) for module, names in ap._NAMES.items()
    }


def test_all_and_dir_list_every_name_once() -> None:
    assert len(set(ap.__all__)) == len(ap.__all__)
    assert set(dir(ap)) == {*ap.__all__, "__version__"}


def test_a_name_that_does_not_exist() -> None:
    with pytest.raises(AttributeError, match=r"module 'apolar' has no attribute 'laplace'"):
        _ = ap.laplace  # type: ignore[attr-defined]
    with pytest.raises(ImportError, match="laplace"):
        exec("from apolar import laplace")


@pytest.mark.parametrize("name", ap.__all__)
def test_no_module_has_the_name_of_a_function_or_class(name: str) -> None:
    assert importlib.util.find_spec(f"apolar.{name}") is None
    assert isinstance(getattr(ap, name), ModuleType) is (name == "register")  # ap.register.linear: meant as a module


MODULES = [
    ".".join(path.relative_to(SOURCES).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(SOURCES.rglob("*.py"))
    if path.stem != "triton" or importlib.util.find_spec("triton")
]

IN_ORDER = """
import importlib, torch
for module in {modules!r}:
    importlib.import_module(module)
import apolar as ap
for name in ap.__all__:
    assert getattr(ap, name) is getattr(importlib.import_module(ap._MODULES[name]), name), name
"""


@pytest.mark.parametrize("step", [1, -1])
def test_names_stay_what_they_are_when_all_modules_are_imported(step: int) -> None:
    run(IN_ORDER.format(modules=MODULES[::step]))


# ------------------------------------------------------------------------------------------------------------ lightness

TOOLS = {"click", "contourpy", "flask", "igraph", "latex2mathml", "matplotlib", "rich", "scipy", "waitress"}

HELP = """
from click.testing import CliRunner
from apolar.cli import main
for arguments in [], *([command] for command in main.commands):
    assert CliRunner().invoke(main, [*arguments, "--help"]).exit_code == 0
assert CliRunner().invoke(main, ["--version"]).exit_code == 0
"""

COMPLETION = """
import os
os.environ |= {"_APOLAR_COMPLETE": "bash_complete", "COMP_WORDS": "apolar derive --gr", "COMP_CWORD": "2"}
from apolar.cli import main
try:
    main(prog_name="apolar")
except SystemExit:
    pass
"""

PLAN = """
from apolar.cli import main
main(["plan", "(dx^2 + dy^2)^2 - dx/pi"], standalone_mode=False)
"""

EVALUATION = """
import torch
import apolar as ap
ap.laplacian(lambda p: torch.sin(p).sum(-1, keepdim=True))(torch.zeros(3, 2))
ap.hessian(lambda p: torch.sin(p).prod())(torch.zeros(2))
"""

LIGHT: dict[str, tuple[str, set[str]]] = {
    "import": ("import apolar", {"torch", "numpy", "sympy", "triton"} | TOOLS),
    "help": (HELP, {"torch", "numpy", "sympy"} | TOOLS - {"click", "rich"}),
    "completion": (COMPLETION, {"torch", "numpy", "sympy"} | TOOLS - {"click", "rich"}),
    "plan": (PLAN, {"torch", "numpy", "sympy"} | TOOLS - {"click", "rich"}),
    "evaluation": (EVALUATION, {"torch._dynamo", "sympy", "triton"} | TOOLS),
}


@pytest.mark.parametrize("what", LIGHT)
def test_only_what_is_needed_is_imported(what: str) -> None:
    code, absent = LIGHT[what]
    printed = run(f"{code}\nimport sys\nprint(*sys.modules)")
    found = set(printed.splitlines()[-1].split())
    assert "apolar" in found
    assert not found & absent


THREADS = """
import threading, apolar as ap
errors = []
def first(name):
    try:
        getattr(ap, name)
    except BaseException as error:
        errors.append((name, repr(error)))
threads = [threading.Thread(target=first, args=(name,)) for name in ap.__all__]
[t.start() for t in threads]
[t.join() for t in threads]
print(errors)
"""


def test_threads_may_ask_for_all_names_at_once() -> None:
    assert run(THREADS).strip() == "[]"


def test_completion_lists_options() -> None:
    assert run(COMPLETION) == "plain,--gradient\n"


# --------------------------------------------------------------------------------------------------------------- extras

OPTIONAL = ("contourpy", "flask", "igraph", "latex2mathml", "matplotlib", "waitress")

WITHOUT = """
import json
import apolar as ap
e = ap.explain("cos(x^2)", x=0.5, order=2)
assert "f″ = -4·x²·cos(x²) - 2·sin(x²) = -1.463720" in " ".join(e.text().split())
assert json.loads(e.to_json())["order"] == 2
assert e.to_latex().startswith("\\\\documentclass")
assert e.to_dot().startswith("digraph")
assert e._repr_html_() is None
from apolar.cli import main
main(["derive", "x^3", "--at", "x=2", "--json"])
"""


def test_what_needs_no_extra_works_without() -> None:
    assert '"value": 8.0' in run(WITHOUT, *OPTIONAL)


NEEDS = {
    "explain": ("Explanation.to_html", ("igraph", "latex2mathml"), 'ap.explain("x^2", x=1.0).to_html()'),
    "page": ("apolar serve", OPTIONAL, "from apolar import page"),
}
"""By extra: what needs it, its packages, and code that meets the error."""

MISSED = """
import apolar as ap
try:
    {code}
except ap.MissingExtra as error:
    print(error)
"""


@pytest.mark.parametrize(
    "name, package", [(name, package) for name, (_, found, _) in NEEDS.items() for package in found]
)
def test_the_error_names_the_package_and_its_extra(name: str, package: str) -> None:
    tool, _, code = NEEDS[name]
    assert run(MISSED.format(code=code), package) == f"{tool} needs {package}: pip install 'apolar[{name}]'\n"


SERVE = """
from click.testing import CliRunner
from apolar.cli import main
result = CliRunner().invoke(main, ["serve"])
print(result.exit_code, result.output)
"""


def test_the_command_line_says_it_without_a_traceback() -> None:
    assert run(SERVE, "flask").strip() == "2 Error: apolar serve needs flask: pip install 'apolar[page]'"


def test_each_extra_has_the_packages_that_are_missed() -> None:
    tomllib = pytest.importorskip("tomllib", reason="part of Python from 3.11 on")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]

    def packages(extra: str) -> set[str]:
        """Those of an extra, and of the extras that it names."""
        found: set[str] = set()
        for requirement in extras[extra]:
            inner = re.fullmatch(r"apolar\[(.*)\]", requirement)
            found |= set().union(*map(packages, inner[1].split(","))) if inner else {re.split(r"\W", requirement)[0]}
        return found

    assert packages("explain") == set(NEEDS["explain"][1])
    assert packages("page") == packages("all") == set(OPTIONAL)
    assert set(OPTIONAL) <= packages("dev")
    assert not set(OPTIONAL) & {re.split(r"\W", requirement)[0] for requirement in project["dependencies"]}
