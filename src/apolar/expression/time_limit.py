"""A bound in time for what SymPy does: some simplifications of short formulas take minutes, or do not end."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

GRACE = 0.5
"""So many seconds a computation that is stopped may take to end; after that it is left alone."""


class _Stopped(BaseException):
    """Raised inside of the computation. No ``except Exception`` catches it."""


def within(seconds: float, compute: Callable[[], T]) -> T | None:
    """What is computed, or None where it takes longer than that or nests too deeply.

    It runs in a thread of its own, into which an exception is thrown when the time is over. An error goes on to the caller.

    >>> within(5.0, lambda: 1 + 1)
    2
    """
    found: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(compute())
        except (_Stopped, RecursionError):
            pass
        except BaseException as error:
            failed.append(error)

    worker = threading.Thread(target=run, name="apolar-time-limit", daemon=True)
    worker.start()
    worker.join(max(seconds, 0.0))
    if worker.is_alive():
        _throw(worker, _Stopped)
        worker.join(GRACE)
        return None
    if failed:
        raise failed[0]
    return found[0] if found else None


def _throw(thread: threading.Thread, kind: Any) -> None:
    """Raise an exception in another thread, before its next instruction of Python."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(kind))
