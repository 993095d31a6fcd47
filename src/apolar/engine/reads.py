"""All that functions and objects can read, found by walking what they hold.

Above ``code_names``, below ``guard``. An attribute counts as read where some code that is reached mentions its name, whichever
object it reads it from; the parts of containers always do. Libraries are taken as fixed, but not what their objects hold.

The walk goes level by level, and writes down how a level is got from those before: steps that loop in C. What is read lies in
one flat list, in the order in which the steps find it, so that the walk can be repeated and compared.
"""

from __future__ import annotations

import functools
import types
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from apolar.engine import steps
from apolar.engine.code_names import library_file, library_name, names_in, names_of_class
from apolar.engine.kinds import (
    ASIDE,
    CALLED,
    CHANGING,
    CONTAINERS,
    DYNAMIC,
    ENTRIES,
    FIXED,
    GLOBAL_HOOKS,
    HIDDEN,
    IMPLIED,
    LARGE,
    LIFE,
    PARTS,
    UNREAD,
    VALUES,
    WRITTEN,
)
from apolar.engine.steps import Step


class Mentioned:
    """The names in the code that is reached."""

    def __init__(self) -> None:
        self.attributes, self.whole = set(IMPLIED), set[str]()
        self.globals: dict[int, set[str]] = defaultdict(set)
        self.everything = False

    @property
    def size(self) -> int:
        """Grows as long as there are new ones."""
        return sum(map(len, (self.attributes, self.whole, *self.globals.values()))) + self.everything

    def add(self, function: types.FunctionType) -> None:
        """Those of a function."""
        names = names_in(function.__code__)
        self.attributes |= names.attributes
        self.whole |= names.whole
        self.globals[id(function.__globals__)] |= names.globals
        self.everything |= not DYNAMIC.isdisjoint(names.attributes | names.globals)

    def __contains__(self, name: object) -> bool:
        return self.everything or name in self.attributes


def _mark(x: Any) -> Any:
    """What tells a value from others; the digits of a large integer are not to be written."""
    return x if isinstance(x, int) else repr(x)


class Reads:
    """What some roots can read.

    Attributes:
        items: what is read, level by level; the roots, and the hooks for all modules, come first.
        paths: how each is reached, for messages; None for what no code mentions.
        steps: each appends a level, or a part of it, to a list of items; false where another number comes out.
        places: where the items are that are compared in the same way: "values", "written", "fixed", "weak", "typed" (their
            types are compared), "empty", "same" (as an earlier item) and "earlier".
        opaque: what cannot be followed, by path.
    """

    def __init__(self, roots: Sequence[Any], skipped: frozenset[str] = frozenset()) -> None:
        self.skipped, self.names = skipped, Mentioned()
        size = -1
        while size != self.names.size:  # code that is found late may mention what was passed over early
            size = self.names.size
            self._walk(roots)

    def _walk(self, roots: Sequence[Any]) -> None:
        self.items: list[Any] = []
        self.paths: list[str | None] = []
        self.steps: list[Step] = []
        self.places: dict[str, list[int]] = defaultdict(list)
        self.opaque: dict[str, str] = {}
        self._first: dict[tuple[int, str], int] = {}
        self._roles: dict[int, str] = {}
        self._labels: dict[int, Sequence[str]] = {}
        self.items += roots
        self.paths += map(_name, roots)
        self._take(steps.with_global_hooks, ["the hooks for all modules"] * len(GLOBAL_HOOKS))
        start = 0
        while start < len(self.items):
            level = range(start, len(self.items))
            together: dict[Any, list[int]] = defaultdict(list)
            for k in level:
                if self.paths[k] is not None:
                    for way in self._ways(k):
                        together[way].append(k)
            for way, places in together.items():
                way(self, places) if callable(way) else self._parts(places, way)
            start = level.stop

    def marks(self) -> Iterator[tuple[str, int]]:
        """The path of each item, and a number that tells whether it has changed."""
        ways: dict[str, Callable[[Any], Any]]
        ways = {"values": _mark, "written": lambda x: WRITTEN[type(x)](x), "weak": id, "fixed": id}
        known = {k: way for group, way in ways.items() for k in self.places[group]}
        for k, (x, path) in enumerate(zip(self.items, self.paths)):
            if path is not None:
                way = known.get(k, len if isinstance(x, CONTAINERS) else type)
                yield path, hash((path, type(x), way(x)))

    # -------------------------------------------------------------------------------------------------- one item

    def _ways(self, k: int) -> list[Any]:
        """Sort an item in, and say how it is followed."""
        x, path, role = self.items[k], str(self.paths[k]), self._roles.get(k, "")
        if path in self.skipped:
            return self._unknown(k, "which the function changes itself")
        first = self._first.setdefault((id(x), role), k)
        if first != k and not isinstance(x, (*VALUES, *WRITTEN)):
            self.places["same"].append(k)
            self.places["earlier"].append(first)
            return []
        if isinstance(x, type):
            return self._class(k, x, role)
        if isinstance(x, types.ModuleType):
            return self._python_module(k, x, role)
        if role == "globals":
            return [Reads._globals]
        users = not library_name(type(x).__module__)
        ways: list[Any] = [Reads._types] if users else []
        if not users:
            self.places["typed"].append(k)
        return ways + self._content(k, x, users)

    def _content(self, k: int, x: Any, users: bool) -> list[Any]:
        """Of something that is no class and no module of Python."""
        kind = type(x)
        if issubclass(kind, Tensor):
            self.places["weak"].append(k)
            return [Reads._attributes] if vars(x) else []
        if issubclass(kind, VALUES):
            return self._put("values", k)
        if kind in WRITTEN:
            array = kind is np.ndarray and (x.size > LARGE or x.dtype.hasobject)
            return self._unknown(k, "an array that is large or of objects") if array else self._put("written", k)
        if isinstance(x, tuple(WRITTEN)):
            return self._unknown(k, "a number or an array of another class")
        if kind is types.FunctionType:
            return self._function(k, x)
        if kind is types.BuiltinMethodType and x.__module__ is None and not isinstance(x.__self__, type):
            return [PARTS[kind]]
        if issubclass(kind, FIXED) or kind is object:
            if getattr(x, "__module__", None) in CHANGING:
                return self._unknown(k, "whose results change")
            return self._put("fixed", k)
        if kind in PARTS:
            empty = kind is types.CellType and not _filled(x)
            return self._unknown(k, "which is not set yet") if empty else [PARTS[kind]]
        if issubclass(kind, weakref.ref):
            return [Reads._referents]
        return self._container(k, x, users) if issubclass(kind, CONTAINERS) else self._object(k, x)

    def _container(self, k: int, x: Any, users: bool) -> list[Any]:
        own = {name for cls in type(x).__mro__ if not library_name(cls.__module__) for name in vars(cls)}
        if not own.isdisjoint(("__iter__", "__len__", "values")):
            return self._unknown(k, "which says itself what it holds")
        if len(x) > LARGE:
            return self._unknown(k, "which is large")
        if not len(x) and not users:
            return self._put("empty", k)
        ways: list[Any] = [Reads._attributes] if users and getattr(x, "__dict__", None) else []
        if isinstance(x, ENTRIES):
            return [Reads._entries, *ways]
        named = all(isinstance(key, VALUES) for key in x)
        return [Reads._mapping, *ways] if named else [Reads._entries, Reads._values, *ways]

    def _object(self, k: int, x: Any) -> list[Any]:
        """What has attributes."""
        kind, slots = type(x), _slots(x)
        attributes = isinstance(getattr(x, "__dict__", None), dict)
        if _compiled(kind, len(slots)) or not (slots or attributes):
            return self._unknown(k, f"{kind.__module__}.{kind.__qualname__}")
        ways: list[Any] = [slots] if slots else []
        if attributes:
            ways.append(Reads._attributes)
        if issubclass(kind, nn.Module):
            self.places["modules"].append(k)
            ways += [Reads._called] if all(hasattr(kind, name) for name in CALLED) else []
        return ways

    def _function(self, k: int, f: types.FunctionType) -> list[Any]:
        if library_file(f.__code__.co_filename):
            held = f.__closure__ or "<locals>" in f.__qualname__ or vars(f)
            return [PARTS[types.FunctionType][:-1]] if held else self._put("fixed", k)
        self.names.add(f)
        names = names_in(f.__code__)
        for name in (HIDDEN & names.globals) - f.__globals__.keys():
            self.opaque[f"{name} in {f.__qualname__}"] = f"`{name}` in {f.__qualname__}"
        for name in names.imports:
            if not library_name(name):
                self.opaque[f"import {name}"] = f"`import {name}` in {f.__qualname__}"
        return [PARTS[types.FunctionType]]

    def _class(self, k: int, cls: type, role: str) -> list[Any]:
        if library_name(cls.__module__):
            return self._put("fixed", k)
        self.places["weak"].append(k)
        return [Reads._methods] if role in BASES.values() else [("__mro__",)]

    def _python_module(self, k: int, module: types.ModuleType, role: str) -> list[Any]:
        if library_name(module.__name__):
            read = {module.__name__, *(f"{module.__name__}.{name}" for name in self.names.attributes)}
            return self._put("fixed", k) if CHANGING.isdisjoint(read) else self._unknown(k, "whose results change")
        if self.names.everything and role != "by name":
            return self._unknown(k, "a module of which any attribute may be read")
        self.places["weak"].append(k)
        return [Reads._module_attributes]

    def _put(self, group: str, k: int) -> list[Any]:
        self.places[group].append(k)
        return []

    def _unknown(self, k: int, what: str) -> list[Any]:
        self.opaque[str(self.paths[k])] = f"`{self.paths[k]}` ({what})"
        return []

    # ------------------------------------------------------------------------------------- from one level to the next

    def _take(self, step: Step, paths: Iterable[str | None], roles: Iterable[str] = ()) -> None:
        """Append what a step finds."""
        self._roles.update({k: role for k, role in enumerate(roles, len(self.items)) if role})
        self.steps.append(step)
        step(self.items)
        self.paths += paths

    def _parts(self, places: list[int], names: tuple[str, ...]) -> None:
        """Attributes that all of them have."""
        roles = {"__globals__": lambda k: "globals", "__mro__": lambda k: f"classes of {self._roles.get(k, '')}"}
        start = len(self.items)
        self._take(
            steps.parts(places, names),
            [_part(str(self.paths[k]), name) for k in places for name in names],
            [roles[name](k) if name in roles else "" for k in places for name in names],
        )
        for place, (k, name) in enumerate(((k, name) for k in places for name in names), start):
            if name == "__closure__":
                self._labels[place] = self.items[k].__code__.co_freevars
            elif name == "__defaults__":
                code = self.items[k].__code__
                self._labels[place] = code.co_varnames[: code.co_argcount][-len(self.items[place] or ()) :]

    def _types(self, places: list[int]) -> None:
        self._take(steps.each(places, type), [f"the class of {self.paths[k]}" for k in places], ["type"] * len(places))

    def _referents(self, places: list[int]) -> None:
        """What weak references refer to."""
        self._take(steps.each(places, weakref.ref.__call__), [self.paths[k] for k in places])

    def _called(self, places: list[int]) -> None:
        """Of each class of modules."""
        places = list({type(self.items[k]): k for k in reversed(places)}.values())
        paths = [f"{type(self.items[k]).__name__}.{name}" for k in places for name in CALLED]
        self._take(steps.parts(places, CALLED, of=type), paths)

    def _entries(self, places: list[int]) -> None:
        """Of sequences and sets; the keys of dictionaries."""
        paths: list[str] = []
        roles: list[str] = []
        for k in places:
            labels = self._labels.get(k) or [f"{self.paths[k]}[{n}]" for n in range(len(self.items[k]))]
            paths += labels
            roles += [BASES.get(self._roles.get(k, ""), "")] * len(labels)
        self._take(steps.entries(places, self.items), paths, roles)

    def _mapping(self, places: list[int]) -> None:
        """The values of dictionaries, whose keys stay."""
        paths = [_entry(str(self.paths[k]), key) for k in places for key in self.items[k]]
        self._take(steps.mapping(places, self.items), paths)

    def _values(self, places: list[int]) -> None:
        """The values of dictionaries whose keys are objects."""
        paths = [f"{self.paths[k]}[{n}]" for k in places for n in range(len(self.items[k]))]
        self._take(steps.values(places), paths)

    def _attributes(self, places: list[int]) -> None:
        """Of objects: the names of all, the values of those that are mentioned."""
        paths: list[str | None] = []
        for k in places:
            own = _own_names(type(self.items[k]))  # type: ignore[arg-type]
            paths += [f"{self.paths[k]}.{n}" if n in own or n in self.names else None for n in vars(self.items[k])]
        self._take(steps.attributes(places, self.items), paths)

    def _methods(self, places: list[int]) -> None:
        """What user code defines in classes: what is mentioned, and the methods that the language calls."""
        for k in places:
            cls, made = self.items[k], self._roles[k] != BASES["classes of type"]
            own = vars(cls)
            wanted = [n for n, x in own.items() if n in self.names or (_implicit(n, x) and (made or n not in LIFE))]
            wanted = [n for n in wanted if n not in ("__dict__", "__weakref__", "__module__", "__doc__")]
            inherited = {
                n for c in cls.__mro__[1:] for n in vars(c) if n in CALLED or (n in self.names and n[:2] != "__")
            }
            self._namespace(k, vars, wanted, inherited - own.keys(), f"{cls.__name__}.")

    def _module_attributes(self, places: list[int]) -> None:
        """Of modules of Python."""
        for k in places:
            wanted = [n for n in vars(self.items[k]) if n in self.names and n[:2] != "__"]
            self._namespace(k, vars, wanted, set(), f"{self.paths[k]}.")

    def _globals(self, places: list[int]) -> None:
        """Of a function's module: what its code mentions; builtins must not be hidden."""
        for k in places:
            names, space = self.names.globals[id(self.items[k])], self.items[k].keys()
            self._namespace(k, None, sorted(names & space), names - space, "")

    def _namespace(
        self, k: int, of: Callable[[Any], Any] | None, names: Sequence[str], absent: set[str], path: str
    ) -> None:
        roles = ["" if name in self.names.whole else "by name" for name in names]
        self._take(steps.namespace(k, of, names, frozenset(absent)), [path + name for name in names], roles)


# ------------------------------------------------------------------------------------------------------ helpers

BASES = {"classes of type": "base", "classes of ": "base of what is made", "classes of by name": "base of what is made"}
"""The roles of the classes that a class consists of, by that of their tuple."""


def _filled(cell: types.CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def _slots(x: Any) -> tuple[str, ...]:
    """Those of Python classes that are set."""
    own = [vars(cls).items() for cls in type(x).__mro__ if "__slots__" in vars(cls)]
    found = [name for items in own for name, d in items if isinstance(d, types.MemberDescriptorType)]
    return tuple(name for name in found if hasattr(x, name))


def _compiled(cls: type, slots: int) -> bool:
    """Whether objects have a state of their own that only C sees: more than slots, a dictionary and weak references."""
    return cls.__basicsize__ - object.__basicsize__ > (slots + 2) * tuple.__itemsize__


def _implicit(name: str, x: Any) -> bool:
    """Whether the language calls it without a mention in code."""
    method = isinstance(x, (types.FunctionType, staticmethod, classmethod))
    return method and name[:2] == name[-2:] == "__" and name not in UNREAD


@functools.lru_cache(10_000)
def _own_names(cls: type) -> frozenset[str]:
    """Attributes that the code of libraries reads from objects of a class."""
    found = frozenset().union(*(names_of_class(c) for c in cls.__mro__ if library_name(c.__module__)))
    if not issubclass(cls, nn.Module):
        return found
    return frozenset(name for name in found | vars(nn.Module()).keys() if not ASIDE.search(name))


def _name(root: Any) -> str:
    return str(getattr(root, "__name__", type(root).__name__))


def _part(path: str, name: str) -> str:
    """What to call a part of something."""
    return {"__code__": f"the code of {path}", "__globals__": f"the globals of {path}"}.get(
        name, path if name in SILENT else f"{path}.{name}"
    )


SILENT = {name for names in PARTS.values() for name in names}
"""Parts that go by the name of the whole."""


def _entry(path: str, key: Any) -> str:
    """What to call an entry of a dictionary."""
    for held in ("._parameters", "._buffers", "._modules"):
        if path.endswith(held):
            return f"{path.removesuffix(held)}.{key}"
    return f"{path}[{key!r}]"
