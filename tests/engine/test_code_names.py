"""The names that code reads, and which code is taken as fixed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import apolar
from apolar.engine.code_names import library_file, library_name, names_in


def reading(self: Any, x: Any) -> Any:
    import os.path
    from json import loads

    y = [g(self.k) * c for c in settings.a.b if h]  # type: ignore[name-defined]  # noqa: F821
    inner = lambda: w.q + helper  # type: ignore[name-defined]  # noqa: E731, F821
    self.written = y
    return loads(os.path), inner, self.method(x)


def test_names() -> None:
    """Of the function and of what is defined inside of it; what it only writes is not among them."""
    found = names_in(reading.__code__)
    assert found.globals == {"settings", "g", "h", "w", "helper"}
    assert found.whole == {"g", "h", "helper"}
    assert found.attributes == {"a", "b", "k", "q", "method", "loads", "path"}
    assert found.imports == {"os.path", "json"}


LIBRARIES = {"json", "builtins", "torch.nn", "torch._C._nn", "numpy", "apolar.errors"}


@pytest.mark.parametrize("name", [*sorted(LIBRARIES), "__main__", "tests.lifted", "no_such_module"])
def test_modules_of_libraries(name: str) -> None:
    assert library_name(name) is (name in LIBRARIES)


@pytest.mark.parametrize("module", [json, torch, np, apolar])
def test_files_of_libraries(module: Any) -> None:
    assert library_file(module.__file__)
    assert not library_file(__file__)
    assert not library_file("<stdin>")
    assert not library_file(str(Path(apolar.__file__).parent) + "_examples/problem.py")
