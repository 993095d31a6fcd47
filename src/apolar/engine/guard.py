"""A guard: everything that a function and all that it holds can read, compared before what was found with it is used again.

Above ``reads``. It serves captures (``ap.compile``) and verdicts (whether rows are independent), which hold for as long as
what the function reads stays the same: code, numbers and strings by value, tensors by identity, containers and objects by
what is in them. Tensors that are written to in place stay the same. A guard keeps no tensor and no module alive.

``holds`` repeats the walk of ``reads`` in loops that run in C: some 12 µs for a network of four hidden layers.
"""

from __future__ import annotations

import operator
import types
import weakref
from collections.abc import Callable, Iterator, Sequence
from operator import is_
from typing import Any, Generic, TypeVar

from torch import Tensor, nn

from apolar.engine.kinds import WRITTEN
from apolar.engine.reads import Reads
from apolar.engine.steps import picker

T = TypeVar("T")

call: Callable[[Any], Any] = getattr(
    operator, "call", weakref.ref.__call__
)  # the former is faster, from Python 3.11 on


class Guard:
    """What some roots (functions, modules, any objects) read when the guard was made.

    Attributes:
        opaque: descriptions of what cannot be followed; ``holds`` says nothing about these.
    """

    def __init__(
        self, *roots: Any, facts: Sequence[Callable[[Tensor], Any]] = (), ignored: frozenset[str] = frozenset()
    ) -> None:
        """Of roots, in order.

        Args:
            roots: what is read.
            facts: what to compare of each tensor that is read, besides its identity.
            ignored: paths, as ``differences`` gives them, that count as opaque.
        """
        reads = Reads(roots, ignored)
        items, places = reads.items, reads.places
        self.opaque, self.ignored = tuple(reads.opaque.values()), ignored
        self._steps, self._marks = reads.steps, frozenset(mark for _, mark in reads.marks())
        self._modules = [weakref.ref(items[k]) for k in places["modules"]]

        empty, values = places["empty"], places["values"]
        first = dict.fromkeys((*empty, *values))
        self._typed = picker([*first, *(k for k in places["typed"] if k not in first)])
        self._empty, self._values = slice(len(empty)), slice(len(empty), len(first))
        self._types, self._known_values = list(map(type, self._typed(items))), picker(values)(items)

        self._weak, self._fixed = picker(places["weak"]), picker(places["fixed"])
        self._references, self._known_fixed = list(map(weakref.ref, self._weak(items))), self._fixed(items)
        self._same, self._earlier = picker(places["same"]), picker(places["earlier"])
        written = {kind: picker([k for k in places["written"] if type(items[k]) is kind]) for kind in WRITTEN}
        self._written = [
            (WRITTEN[t], pick, list(map(WRITTEN[t], pick(items)))) for t, pick in written.items() if pick(items)
        ]
        tensors = [k for k in places["weak"] if isinstance(items[k], Tensor)]
        self._tensors, self._read = picker(tensors), [weakref.ref(items[k]) for k in tensors]
        self._facts = [(fact, list(map(fact, self._tensors(items)))) for fact in facts]

    def holds(self, *roots: Any) -> bool:
        """Whether these roots read the same as those that the guard was made of."""
        seen = list(roots)
        try:
            for step in self._steps:
                if not step(seen):
                    return False
            return self._compare(seen)
        except Exception:  # something has another form than when the walk was written down
            return False

    def _compare(self, seen: list[Any]) -> bool:
        typed = self._typed(seen)
        return (
            list(map(type, typed)) == self._types  # first, since the equality of other types may do anything
            and not any(typed[self._empty])
            and typed[self._values] == self._known_values
            and all(map(is_, self._weak(seen), map(call, self._references)))
            and all(map(is_, self._fixed(seen), self._known_fixed))
            and all(map(is_, self._same(seen), self._earlier(seen)))
            and all([list(map(written, pick(seen))) == known for written, pick, known in self._written])
            and all([list(map(fact, self._tensors(seen))) == known for fact, known in self._facts])
        )

    def differences(self, *roots: Any) -> list[str]:
        """Paths to what the roots read otherwise, as ``net.scale``: for messages, far slower than ``holds``."""
        changed = {path for path, mark in Reads(roots, self.ignored).marks() if mark not in self._marks}
        return sorted(changed, key=len) or ["what it holds"]

    @property
    def alive(self) -> bool:
        """Whether all tensors and modules that were read still exist."""
        return all(reference() is not None for reference in (*self._modules, *self._references))

    def modules(self) -> Iterator[nn.Module]:
        """Those that were read."""
        return (x for reference in self._modules if (x := reference()) is not None)

    def tensors(self) -> Iterator[Tensor]:
        """Those that were read."""
        return (x for reference in self._read if (x := reference()) is not None)


KEYS = 1000
"""So many keys are remembered."""


class Memory(Generic[T]):
    """Values that were found with functions, each with the guard for which it holds: the latest ones, by keys."""

    def __init__(self, most: int = 32) -> None:
        self._most, self._known = most, dict[Any, tuple[tuple[Guard, T], ...]]()

    def find(self, key: Any, *roots: Any) -> T | None:
        """The value for a key whose guard holds."""
        known = self._known.get(key, ())
        for entry in known:
            if entry[0].holds(*roots):
                if entry is not known[0]:
                    self._known[key] = (entry, *(e for e in known if e is not entry))
                return entry[1]
        return None

    def remember(self, key: Any, guard: Guard, value: T) -> None:
        """A value; those of objects that no longer exist are dropped."""
        living = {k: tuple(e for e in entries if e[0].alive) for k, entries in list(self._known.items())}
        self._known = {k: entries for k, entries in living.items() if entries}
        self._known[key] = ((guard, value), *self._known.get(key, ()))[: self._most]
        if len(self._known) > KEYS:
            del self._known[next(iter(self._known))]

    def guards(self, key: Any) -> list[Guard]:
        """Those for a key, the latest first."""
        return [guard for guard, _ in self._known.get(key, ())]


def likeness(x: Any) -> Any:
    """A key that is the same for functions made anew of the same code; a guard tells them apart."""
    if isinstance(x, (types.FunctionType, types.MethodType)):
        return getattr(x, "__code__", None)
    return id(x) if isinstance(x, nn.Module) else (type(x), x) if isinstance(x, (int, float, str)) else type(x)
