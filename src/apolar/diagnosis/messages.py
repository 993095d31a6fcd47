"""Errors of PyTorch, matched loosely: their wording differs between versions."""

from __future__ import annotations

import re
from typing import Any

from apolar.diagnosis.causes import CAUSES
from apolar.diagnosis.operations import DETACHING, NUMBERS
from apolar.diagnosis.places import Place
from apolar.diagnosis.traces import Memory
from apolar.engine.torch_private import version
from apolar.errors import DetachedError, RowCouplingError


def code_of(error: BaseException) -> str | None:
    """The code of the cause that a message names.

    >>> code_of(RuntimeError("Trying to backward through the graph a second time (or directly access …"))
    'graph-freed'
    """
    text = str(error)
    if isinstance(error, DetachedError):
        taken = re.match(r"\.?(\w+) takes a value", text)
        return "no-grad" if taken is None else "detach" if taken[1] in DETACHING else NUMBERS.get(taken[1], "item")
    matches = (code for code, cause in CAUSES.items() if any(re.search(m, text) for m in cause.messages))
    return next(matches, None)


def report(memory: Memory, error: BaseException, place: Place, name: str = "", shape: Any = "?") -> bool:
    """The finding for an error whose message says enough, and whether there is one."""
    code = code_of(error)
    text = str(error)
    if isinstance(error, RowCouplingError) and memory.coupled is not None:
        code, place = "batch-coupled", memory.coupled
    if code is None:
        return False
    if isinstance(error, DetachedError):
        name = text.split()[0].strip(".")
    if code == "integer-dtype" and (found := re.search(r"got (torch\.\w+)", text)):
        name = found[1]
    written = _writing(memory, text) if code == "saved-in-place" else None
    if written is not None:
        place, name, shape = written.place, written.name, written.shape
    if code == "derivative-missing" and (found := re.search(r"derivative for '?([\w:]+)'?", text)):
        name = found[1]
    if code == "no-grad" and memory.inference:
        place = memory.inference
    memory.report(code, place, name=name or "?", shape=shape, order=2, what="y")
    return True


def _writing(memory: Memory, text: str) -> Any:
    """The call that raised the version of a saved tensor first, by the shape and the versions in the message."""
    found = re.search(r"\[[\w.]+ \[([\d, ]*)\]\].*is at version (\d+); expected version (\d+)", text)
    if found is None:
        return memory.writings[-1] if memory.writings else None
    shape = tuple(int(n) for n in found[1].split(",") if n.strip())
    now, expected = int(found[2]), int(found[3])
    alive = [(w, t) for w in memory.writings if (t := w.tensor()) is not None and w.version > expected]
    alike = [(w, t) for w, t in alive if sorted(w.shape) == sorted(shape)] or alive  # what is saved may be a transpose
    return next((w for w, t in alike if version(t) == now), None) or next((w for w, _ in alike), None)
