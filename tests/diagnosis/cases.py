"""The scripts with faults, and the healthy ones: each says itself which code is found at which of its lines.

``# <- here`` marks the line that explains the fault after which the folder is called; ``# <- code`` another finding.
"""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import warnings
from pathlib import Path

from apolar.diagnosis import Diagnosis, watch

FOLDER = Path(__file__).parent / "scripts"
SCRIPTS = sorted(FOLDER.rglob("*.py"))
MARKER = re.compile(r"# <- ([\w-]+)")


def expected(script: Path) -> set[tuple[str, int]]:
    """The findings that a script says it must have: codes and lines."""
    lines = enumerate(script.read_text().splitlines(), start=1)
    marked = ((line, found[1]) for line, text in lines if (found := MARKER.search(text)))
    return {(script.parent.name if code == "here" else code, line) for line, code in marked}


def diagnosed(script: Path) -> tuple[Diagnosis, Exception | None]:
    """What a watch finds, and the error that ended the script."""
    error = None
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            with watch() as diagnosis:
                runpy.run_path(str(script), run_name="__main__")
        except Exception as raised:
            error = raised
    return diagnosis, error
