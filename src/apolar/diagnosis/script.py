"""A script under watch, as ``python script.py`` would run it."""

from __future__ import annotations

import runpy
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from apolar.diagnosis.finding import Diagnosis
from apolar.diagnosis.places import _is_inside
from apolar.diagnosis.watch import watch
from apolar.errors import FunctionError
from apolar.text.languages import Language


def run(path: str | Path, arguments: Sequence[str] = (), lang: Language = "en") -> tuple[Diagnosis, int]:
    """Run a script and diagnose it.

    Args:
        path: of the script.
        arguments: what it finds in ``sys.argv[1:]``.
        lang: the language of the findings.

    Returns:
        The findings, and the exit status that the script would have had.

    Raises:
        FunctionError: there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise FunctionError(f"there is no file {path}")
    before, status = (sys.argv, sys.path[:]), 0
    sys.argv, sys.path[:0] = [str(path), *arguments], [str(path.parent.resolve())]
    diagnosis = Diagnosis()
    try:
        with watch(lang) as diagnosis:
            runpy.run_path(str(path), run_name="__main__")
    except SystemExit as leaving:
        status = _status(leaving)
    except KeyboardInterrupt:
        status = 130
    except BaseException as error:
        _print(error)
        status = 1
    finally:
        sys.argv, sys.path[:] = before
        sys.stdout.flush()
    return diagnosis, status


def _status(leaving: SystemExit) -> int:
    """The exit status that Python gives; a text is printed."""
    if isinstance(leaving.code, int) or leaving.code is None:
        return leaving.code or 0
    print(leaving.code, file=sys.stderr)
    return 1


def _print(error: BaseException) -> None:
    """The traceback, from the script's first line on and without the watch."""
    trace: TracebackType | None = error.__traceback__
    while trace is not None and _is_inside(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    shown = traceback.TracebackException(type(error), error, trace or error.__traceback__)
    own = str(Path(__file__).parent)
    shown.stack = traceback.StackSummary.from_list(
        [frame for frame in shown.stack if not frame.filename.startswith(own)]
    )
    print("".join(shown.format()), file=sys.stderr, end="")
