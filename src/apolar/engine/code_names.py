"""The names that code reads, from its bytecode, and which code is a library's.

At the bottom of the engine: knows no torch.
"""

from __future__ import annotations

import dis
import os
import sys
import sysconfig
import types
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

GLOBALS = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
ATTRIBUTES = {"LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR", "IMPORT_FROM"}


class Names(NamedTuple):
    """What code mentions.

    Attributes:
        globals: names that are looked up among globals and builtins.
        whole: those among them that are used otherwise than for one of their attributes.
        attributes: names that are read from some object, whichever it is.
        imports: modules that are imported while it runs.
    """

    globals: frozenset[str]
    whole: frozenset[str]
    attributes: frozenset[str]
    imports: frozenset[str]


@lru_cache(10_000)
def names_in(code: types.CodeType) -> Names:
    """The names that a function body reads, and the lambdas, comprehensions and functions inside of it."""
    steps = list(dis.get_instructions(code))
    matched = {"getattr"} if any(s.opname == "MATCH_CLASS" for s in steps) else set()  # by names that the class gives
    own = Names(
        frozenset(s.argval for s in steps if s.opname in GLOBALS),
        frozenset(s.argval for s, t in pairwise(steps) if s.opname in GLOBALS and t.opname not in ATTRIBUTES),
        frozenset(s.argval for s in steps if s.opname in ATTRIBUTES) | matched,
        frozenset(s.argval for s in steps if s.opname == "IMPORT_NAME"),
    )
    inner = [names_in(c) for c in code.co_consts if isinstance(c, types.CodeType)]
    return Names(*(frozenset().union(*same) for same in zip(own, *inner)))


@lru_cache(10_000)
def names_of_class(cls: type) -> frozenset[str]:
    """All names that the methods of a class mention."""
    functions = [getattr(x, "fget", None) or getattr(x, "__func__", x) for x in vars(cls).values()]
    return frozenset(name for f in functions if isinstance(f, types.FunctionType) for name in f.__code__.co_names)


# ------------------------------------------------------------------------------------------------------ libraries

STANDARD = tuple({path + os.sep for name in ("stdlib", "platstdlib") if (path := sysconfig.get_path(name))})
INSTALLED = {"site-packages", "dist-packages"}
APOLAR = str(Path(__file__).parents[1]) + os.sep


@lru_cache(10_000)
def library_file(file: str) -> bool:
    """Whether a file belongs to the standard library, to what is installed, or to apolar."""
    return file.startswith((*STANDARD, APOLAR, "<frozen")) or not INSTALLED.isdisjoint(Path(file).parts)


def library_name(module: str) -> bool:
    """Whether a module of this name belongs to a library."""
    root = module.partition(".")[0]
    if root == "__main__" or root in sys.stdlib_module_names:
        return root != "__main__"
    file = getattr(sys.modules.get(root), "__file__", None)
    return file is not None and library_file(file)
