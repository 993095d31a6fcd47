"""Libraries on disk: where they lie, who may write there, who finds them, and what happens without a compiler."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

import apolar as ap
from apolar.kernels import compiled, native, sources
from apolar.kernels import composition as module

CACHED = (native.library, native._temporary, native._command, native._target, native._threads)
SOURCE = 'extern "C" int answer() { return 42; }\n'


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder of libraries; nothing is remembered from before, nor afterwards."""
    monkeypatch.setenv("APOLAR_CACHE", str(tmp_path / "cache"))
    for function in CACHED:
        function.cache_clear()
    yield tmp_path / "cache"
    for function in CACHED:
        function.cache_clear()


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def counting(tmp_path: Path) -> tuple[Path, Callable[[], int]]:
    """A compiler that writes down how often it makes a library."""
    log = tmp_path / "log"
    log.touch()
    compiler = script(tmp_path / "g++", f'case "$*" in *kernel.cpp*) echo built >> {log};; esac\nexec g++ "$@"')
    return compiler, lambda: len(log.read_text().splitlines())


# ------------------------------------------------------------------------------------------------------------- the folder


def test_libraries_lie_in_a_private_folder(cache: Path) -> None:
    assert native.library(SOURCE).answer() == 42
    (built,) = (cache / "kernels").iterdir()
    assert built.suffix == ".so"
    assert stat.S_IMODE((cache / "kernels").stat().st_mode) == 0o700


def test_the_umask_of_the_user_does_not_open_it(cache: Path) -> None:
    before = os.umask(0)
    try:
        native.folder()
    finally:
        os.umask(before)
    assert stat.S_IMODE((cache / "kernels").stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702, 0o720])
def test_a_folder_that_others_can_write_to_is_not_used(cache: Path, mode: int) -> None:
    folder = cache / "kernels"
    folder.mkdir(parents=True)
    folder.chmod(mode)
    elsewhere = native.folder()
    assert elsewhere != folder
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o700
    assert native.library(SOURCE).answer() == 42
    assert not list(folder.iterdir())
    elsewhere.joinpath(next(iter(os.listdir(elsewhere)))).unlink()
    elsewhere.rmdir()


def test_the_usual_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("APOLAR_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert native.folder() == tmp_path / "xdg" / "apolar" / "kernels"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert native.folder() == tmp_path / ".cache" / "apolar" / "kernels"


def test_a_file_in_the_way(cache: Path) -> None:
    cache.write_text("no folder")
    assert native.library(SOURCE).answer() == 42


def test_a_source_and_a_compiler_that_differ_are_other_libraries(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    native.library(SOURCE)
    native.library(SOURCE.replace("42", "43"))
    assert len(list((cache / "kernels").iterdir())) == 2
    native.library.cache_clear()
    monkeypatch.setattr(native, "_command", lambda: ("g++", "-O1", "-fPIC", "-shared"))
    assert native.library(SOURCE).answer() == 42
    assert len(list((cache / "kernels").iterdir())) == 3


def test_another_openmp_runtime_is_another_library(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library names the runtime that it was linked with; another installation of torch has another one."""
    native.library(SOURCE)
    native.library.cache_clear()
    monkeypatch.setattr(native, "_threads", lambda: ())
    native.library(SOURCE)
    assert len(list((cache / "kernels").iterdir())) == 2


DAMAGED: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut to a page": lambda content: content[:4096],
    "cut by a byte": lambda content: content[:-1],
    "zeros at the end": lambda content: content[: len(content) // 2].ljust(len(content), b"\0"),
    "a flipped bit": lambda content: content[:5000] + bytes([content[5000] ^ 1]) + content[5001:],
    "longer": lambda content: content + b"\0",
    "without its hash": lambda content: content[: -native.DIGEST_BYTES],
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_library_is_built_again(kind: str, cache: Path) -> None:
    """In another process, which would end with SIGBUS: here the library may be mapped already."""
    program = f"from apolar.kernels import native\nprint(native.library({SOURCE!r}).answer())"

    def run() -> str:
        return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert run() == "42\n"
    (built,) = (cache / "kernels").iterdir()
    whole = built.read_bytes()
    built.write_bytes(DAMAGED[kind](whole))
    assert run() == "42\n"
    assert native._intact(built)


# ------------------------------------------------------------------------------------------------------- between processes

PROGRAM = """
import sys, threading, torch, apolar as ap
from apolar.kernels import compiled
built = []
ready = compiled.Kernel.ready
def seen(self, entries):
    built.append(ready(self, entries))
    return built[-1]
compiled.Kernel.ready = seen
dx, dy = ap.coordinates("x y")
f = lambda p: torch.tanh(p * p.flip(-1)).sum(-1, keepdim=True)
X = torch.linspace(-1, 1, 40000).reshape(-1, 2)
with ap.settings(kernels="eager"):
    expected = ap.evaluate(f, X, dx**2 + dy**2)
with ap.settings(kernels=sys.argv[1]):
    for _ in range(int(sys.argv[2])):
        found = ap.evaluate(f, X, dx**2 + dy**2)
assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4)
print(built[-1])
"""


def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def outcome(process: subprocess.Popen[str]) -> bool:
    """Whether the kernel ran; nothing may have been said about it."""
    said, complaints = process.communicate(timeout=120)
    assert (process.returncode, complaints) == (0, ""), complaints
    return {"True\n": True, "False\n": False}[said]


def test_processes_share_libraries(tmp_path: Path) -> None:
    """Two that start at once leave one library, and a third one, that hashes otherwise, builds none."""
    compiler, count = counting(tmp_path)
    environment = {"CXX": str(compiler), "APOLAR_CACHE": str(tmp_path / "cache")}
    both = [start("compiled", "1", **environment) for _ in range(2)]
    assert [outcome(p) for p in both] == [True, True]
    before = count()
    assert 1 <= before <= 2
    assert len(list((tmp_path / "cache" / "kernels").iterdir())) == 1
    assert outcome(start("compiled", "1", PYTHONHASHSEED="7", **environment))
    assert count() == before


COMPILERS = {
    "none": None,
    "fails": "exit 1",
    "fails with text that is none": r"printf '\377\376' >&2; exit 1",
    "fails at kernels": 'case "$*" in *kernel.cpp*) exit 1;; esac; exec g++ "$@"',
    "writes nothing": 'case "$*" in *kernel.cpp*) exit 0;; esac; exec g++ "$@"',
    "writes garbage": 'for last; do :; done; case "$*" in *kernel.cpp*) echo garbage > "$last"; exit 0;; esac; exec g++ "$@"',
    "writes another library": (
        'for last; do :; done; case "$*" in *kernel.cpp*) '
        'echo | g++ -shared -fPIC -x c++ - -o "$last"; exit;; esac; exec g++ "$@"'
    ),
}


dx, dy = ap.coordinates("x y")


@pytest.mark.parametrize("kind", COMPILERS)
def test_without_a_working_compiler_the_eager_path_is_taken(
    kind: str, cache: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without a word, and with the right results; a failure in the thread that builds would be a warning of pytest."""
    text = COMPILERS[kind]
    cache.mkdir()
    compiler = cache / "missing" if text is None else script(cache / "compiler", text)
    monkeypatch.setenv("CXX", str(compiler))
    points = torch.linspace(-1, 1, 40_000).reshape(-1, 2)
    expected = ap.evaluate(torch.tanh, points, dx**2)
    monkeypatch.setattr(module, "composition", module.composition.__wrapped__)
    monkeypatch.setattr(sources, "composition", module.composition)
    ran: list[object] = []
    monkeypatch.setattr(compiled.Native, "__call__", lambda *_, **__: ran.append(1))
    with warnings.catch_warnings(), ap.settings(kernels="compiled"):
        warnings.simplefilter("error")
        for _ in range(2):
            assert torch.equal(ap.evaluate(torch.tanh, points, dx**2), expected)
    assert not ran
    assert capfd.readouterr() == ("", "")


def test_a_process_may_end_while_a_library_is_built(tmp_path: Path) -> None:
    compiler = script(tmp_path / "slow", 'case "$*" in *kernel.cpp*) sleep 3;; esac; exec g++ "$@"')
    assert not outcome(start("auto", "3", CXX=str(compiler), APOLAR_CACHE=str(tmp_path / "cache")))


def test_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a home folder has a folder for this process."""

    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("APOLAR_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", nowhere)
    assert stat.S_IMODE(native.folder().stat().st_mode) == 0o700
