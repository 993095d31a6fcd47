"""Where in the user's code something happened: the innermost frame outside of libraries, and its expression."""

from __future__ import annotations

import linecache
import sys
import sysconfig
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any

import torch

INSIDE = (
    str(Path(__file__).parents[1]),
    str(Path(torch.__file__).parent),
    *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")),
    "<frozen",
    "<eval_with_key",
)
"""What is not the user's code: apolar, PyTorch, Python and what is installed."""


APOLAR = INSIDE[0]

EXECUTING = tuple(str(Path(APOLAR, room)) for room in ("diagnosis", "residuals"))
"""Rooms of apolar that call functions of torch in the user's name: the diagnosis itself, and recorded equations."""

NETWORKS = str(Path(torch.__file__).parent / "nn" / "modules")


@dataclass(frozen=True)
class Place:
    """A line of the user's code, and the span of the expression on it where Python keeps that (3.11 and later)."""

    file: str | None
    line: int | None
    span: tuple[int, int, int, int] | None = field(default=None, repr=False)

    @property
    def source(self) -> str:
        """The text of the line."""
        return linecache.getline(self.file, self.line).strip() if self.file and self.line else ""

    def __str__(self) -> str:
        return f"{Path(self.file).name}:{self.line}" if self.file else "?"


NOWHERE = Place(None, None)


@cache
def _is_inside(file: str) -> bool:
    return file.startswith(INSIDE)


def user_frame(frame: FrameType | None = None) -> FrameType | None:
    """The innermost frame of the user's code, from this one outwards."""
    frame = frame or sys._getframe(1)
    while frame is not None and _is_inside(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def is_of_apolar(frame: FrameType | None) -> bool:
    """Whether apolar by itself calls what runs in a frame: neither the user's code, nor a network, nor an equation."""
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(APOLAR):
            return not file.startswith(EXECUTING)
        if not _is_inside(file) or file.startswith(NETWORKS):
            return False
        frame = frame.f_back
    return False


def is_of_equation(frame: FrameType | None) -> bool:
    """Whether a recorded equation calls what runs in a frame."""
    while frame is not None and _is_inside(frame.f_code.co_filename):
        if frame.f_code.co_filename.startswith(EXECUTING[1]):
            return True
        frame = frame.f_back
    return False


def name_of(tensor: Any) -> str:
    """What the user's code calls a tensor: ``net.0.weight`` for a parameter of a network; empty where it has no name."""
    frames = []
    frame = user_frame(sys._getframe(1))
    while frame is not None:
        frames.append(frame)
        frame = user_frame(frame.f_back) if frame.f_back is not None else None
    for frame in reversed(frames):  # outside, things have the names that the user knows them by
        for name, value in [*frame.f_locals.items()]:
            if value is tensor:
                return name
            if isinstance(value, torch.nn.Module):
                for inner, part in (*value.named_parameters(), *value.named_buffers()):
                    if part is tensor:
                        return f"{name}.{inner}"
    return ""


def place_of(frame: FrameType | None) -> Place:
    """Where a frame stands."""
    return NOWHERE if frame is None else _place(frame.f_code.co_filename, frame.f_code, frame.f_lasti, frame.f_lineno)


@cache
def _place(file: str, code: CodeType, instruction: int, line: int) -> Place:
    """The file stands beside the code: equal functions of two files have equal code."""
    if not hasattr(code, "co_positions"):
        return Place(file, line)
    first, last, start, end = next(islice(code.co_positions(), instruction // 2, None))
    if first is None or last is None or start is None or end is None:
        return Place(file, line)
    return Place(file, line, (first, last, start, end))


def here() -> Place:
    """Where the user's code stands now."""
    return place_of(user_frame(sys._getframe(1)))


def failed_in(traceback: TracebackType | None) -> TracebackType | None:
    """The innermost entry of a traceback that is the user's code."""
    found = None
    while traceback is not None:
        if not _is_inside(traceback.tb_frame.f_code.co_filename):
            found = traceback
        traceback = traceback.tb_next
    return found


def place_of_error(traceback: TracebackType | None) -> Place:
    """The innermost line of the user's code in a traceback."""
    entry = failed_in(traceback)
    if entry is None:
        return NOWHERE
    code = entry.tb_frame.f_code
    return _place(code.co_filename, code, entry.tb_lasti, entry.tb_lineno)
