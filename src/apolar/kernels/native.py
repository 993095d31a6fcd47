"""C++ source to functions of this process, by the system's compiler, kept on disk between processes.

The compiler is found as torch.compile finds it: the environment variable CXX, or g++. Libraries lie in the user's cache
folder, named by a hash of all that goes into them, and nobody else can write there. A file ends with the hash of its own
content, which is compared before it is loaded: a library that a full disk or a crash has cut off would end the process.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path

FLAGS = (
    "-std=c++17",
    "-O3",
    "-march=native",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=fast",
    "-fPIC",
    "-shared",
)
"""Vectorised and contracted; NaN and infinity keep their meaning, and no global floating-point state is touched."""

OPTIONAL = ("-mprefer-vector-width=512",)

DIGEST_BYTES = hashlib.sha256().digest_size


class CompilerError(Exception):
    """There is no compiler, or it does not take what it is given."""


@lru_cache(maxsize=4096)
def library(source: str) -> ctypes.CDLL:
    """The functions of a C++ file; compiled if this machine has not seen it before.

    Raises:
        CompilerError: it cannot be compiled or loaded.
    """
    command = _command()
    key = hashlib.sha256("\0".join((*command, *_threads(), _target(), source)).encode()).hexdigest()[:32]
    path = folder() / f"{key}.so"
    try:
        if not _intact(path):
            _build(command, source, path)
        return ctypes.CDLL(str(path))
    except (OSError, subprocess.SubprocessError) as error:
        raise CompilerError(str(error)) from error


def in_background(build: Callable[[], None]) -> threading.Thread | None:
    """A thread that builds, which another one may wait for; None where none can be started: there are too many, or the
    interpreter ends."""
    builder = threading.Thread(target=build, name="apolar-kernels", daemon=True)
    try:
        builder.start()
    except RuntimeError:
        return None
    return builder


def available() -> bool:
    """Whether there is a compiler that runs."""
    try:
        return bool(_command())
    except CompilerError:
        return False


def _build(command: tuple[str, ...], source: str, path: Path) -> None:
    """Under another name first: whoever finds the file finds it whole."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="build-") as work:
        written, built = Path(work, "kernel.cpp"), Path(work, "kernel.so")
        written.write_text(source)
        done = subprocess.run(
            [*command, str(written), *_threads(), "-o", str(built)], capture_output=True, text=True, timeout=300
        )
        if done.returncode:
            raise CompilerError(done.stderr[-2000:])
        content = built.read_bytes()
        built.write_bytes(content + _digest(content))  # a loader reads only what the header of the file names
        os.replace(built, path)


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def _intact(path: Path) -> bool:
    """Whether a library is there, whole and unchanged."""
    try:
        written = path.read_bytes()
    except FileNotFoundError:
        return False
    content, digest = written[:-DIGEST_BYTES], written[-DIGEST_BYTES:]
    return digest == _digest(content)


def folder() -> Path:
    """Where libraries are kept: APOLAR_CACHE, or the user's cache folder; one of this process where others could write."""
    try:
        base = os.environ.get("APOLAR_CACHE") or Path(
            os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "apolar"
        )
        path = Path(base, "kernels")
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = path.stat()
        private = state.st_uid == os.getuid() and not state.st_mode & 0o022 and os.access(path, os.W_OK)
    except (OSError, RuntimeError):  # the latter: there is no home
        return Path(_temporary().name)
    return path if private else Path(_temporary().name)


@cache
def _temporary() -> tempfile.TemporaryDirectory[str]:
    """Removed when the process ends."""
    return tempfile.TemporaryDirectory(prefix="apolar-", ignore_cleanup_errors=True)


@cache
def _command() -> tuple[str, ...]:
    """The compiler with its flags."""
    compiler = os.environ.get("CXX", "g++")
    for optional in (OPTIONAL, ()):
        command = (compiler, *FLAGS, *optional, "-fopenmp")
        try:
            if not subprocess.run(
                [*command, "-fsyntax-only", "-x", "c++", os.devnull], capture_output=True, timeout=60
            ).returncode:
                return command
        except (OSError, subprocess.SubprocessError):
            break
    raise CompilerError(f"the compiler {compiler!r} does not run")


@cache
def _target() -> str:
    """The version of the compiler and what the processor can do: a folder may be shared by different machines."""
    shown = subprocess.run(
        [*_command(), "-v", "-E", "-x", "c++", os.devnull], capture_output=True, text=True, timeout=60
    )
    return re.sub(r"/tmp/\S+", "", shown.stderr)


@cache
def _threads() -> tuple[str, ...]:
    """The OpenMP runtime that torch has loaded, so that both share one pool of threads."""
    try:
        maps = Path("/proc/self/maps").read_text()
    except OSError:
        return ()
    loaded = sorted(
        set(re.findall(r"/\S*/lib(?:gomp|iomp5|omp)[^/\s]*\.so[^/\s]*", maps)), key=lambda p: "torch" not in p
    )
    return tuple(loaded[:1])
