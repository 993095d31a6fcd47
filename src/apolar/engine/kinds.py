"""Tables of what a guard meets: the kinds of things, how each is compared, and names with a meaning.

At the bottom of the engine, read by ``reads``.
"""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import fractions
import functools
import logging
import pathlib
import re
import types
from collections.abc import Callable
from operator import methodcaller
from typing import Any, TypeVar

import numpy as np
import torch
from torch.nn.modules import module as torch_modules

from apolar.algebras.operators import Coordinates, Operator
from apolar.engine.code_names import Names
from apolar.engine.torch_private import OpOverload, OpOverloadPacket

# ------------------------------------------------------------------------------------------------------ kinds of things

VALUES: tuple[type, ...] = (
    *(int, bool, str, bytes, type(None), type(...), type(NotImplemented), range, slice, types.CodeType),
    *(torch.dtype, torch.device, torch.Size, torch.layout, torch.memory_format),
    *(fractions.Fraction, decimal.Decimal, datetime.date, datetime.timedelta, pathlib.PurePath, re.Pattern),
    *(np.generic, np.dtype, enum.Enum, Operator, Coordinates),
)
"""Compared by type and value."""

WRITTEN: dict[type, Callable[[Any], Any]] = {float: repr, complex: repr, np.ndarray: methodcaller("dumps")}
"""Compared by what this makes of them: NaN is equal to itself, and -0.0 is not 0.0."""

FIXED: tuple[type, ...] = (
    *(types.BuiltinFunctionType, types.MethodWrapperType, types.WrapperDescriptorType, types.MethodDescriptorType),
    *(types.GetSetDescriptorType, types.MemberDescriptorType, types.ClassMethodDescriptorType, np.ufunc),
    *(types.GenericAlias, types.UnionType, TypeVar, logging.Logger, type(Names.globals)),
    *(OpOverload, OpOverloadPacket),
)
"""Compared by identity, with nothing inside that could change."""

ENTRIES: tuple[type, ...] = (list, tuple, set, frozenset, collections.deque)
"""Compared entry by entry, as dictionaries are."""

CONTAINERS = (dict, types.MappingProxyType, *ENTRIES)

PARTS: dict[type, tuple[str, ...]] = {
    types.FunctionType: ("__code__", "__closure__", "__defaults__", "__kwdefaults__", "__dict__", "__globals__"),
    types.MethodType: ("__func__", "__self__"),
    types.BuiltinMethodType: ("__name__", "__self__"),
    types.CellType: ("cell_contents",),
    functools.partial: ("func", "args", "keywords"),
    functools.cached_property: ("func",),
    type(functools.lru_cache(len)): ("__wrapped__",),
    property: ("fget",),
    staticmethod: ("__func__",),
    classmethod: ("__func__",),
}
"""Compared by these attributes. Classes of apolar that hold caches add themselves."""

LARGE = 10_000
"""Containers and arrays with more entries are not followed."""

# ------------------------------------------------------------------------------------------------------ names with a meaning

DYNAMIC = {"getattr", "hasattr", "vars", "dir", "__dict__", "attrgetter", "methodcaller", "__getattribute__"}
"""Code that mentions one of these may read any attribute."""

HIDDEN = {"globals", "eval", "exec", "__import__", "open", "input"}
"""Builtins that may read anything."""

CHANGING = {"time", "random", "secrets", "numpy.random"}
"""Modules of libraries whose functions return something else at each call."""

CALLED = ("forward", "__call__")
"""What makes a module do something else when it is patched on a class."""

IMPLIED = {"forward", "backward", "setup_context", "jvp", "vmap", "training"}
"""Attributes that torch reads without code that mentions them."""

LIFE = {"__init__", "__new__", "__post_init__"}
"""Methods that are called when an object is made."""

UNREAD = {
    "__repr__",
    "__str__",
    "__del__",
    "__reduce__",
    "__reduce_ex__",
    "__getstate__",
    "__setstate__",
    "__init_subclass__",
}
"""Methods of the language that no computation calls."""

ASIDE = re.compile("state_dict|non_persistent|_with_kwargs$|_always_called$")
"""Attributes of modules that only loading and saving read, or that only say how a hook is called."""

GLOBAL_HOOKS = [x for name, x in vars(torch_modules).items() if name.startswith("_global_") and isinstance(x, dict)]
"""What torch calls with every module."""
