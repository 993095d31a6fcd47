"""Steps from one level of what is read to the next: each appends to a list of items what some of them hold.

They loop in C, run no code of a user, and return whether the items hold as much, under the same names, as at first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from operator import attrgetter, itemgetter, methodcaller
from typing import Any

from apolar.engine.kinds import GLOBAL_HOOKS

Step = Callable[[list[Any]], bool]


def picker(places: Sequence[Any]) -> Callable[[Any], Sequence[Any]]:
    """A function that takes some entries of a list or a dictionary."""
    if len(places) > 1:
        return itemgetter(*places)
    return (lambda x: (x[places[0]],)) if places else lambda x: ()


def with_global_hooks(seen: list[Any]) -> bool:
    """What torch calls with every module."""
    seen.extend(GLOBAL_HOOKS)
    return True


def each(places: Sequence[int], get: Callable[[Any], Any]) -> Step:
    """One thing of each."""
    pick = picker(places)

    def step(seen: list[Any]) -> bool:
        seen.extend(map(get, pick(seen)))
        return True

    return step


def parts(places: Sequence[int], names: Sequence[str], of: Callable[[Any], Any] | None = None) -> Step:
    """Attributes of each, or of what ``of`` makes of it."""
    if len(names) == 1:
        return each(places, attrgetter(*names))
    pick, get = picker(places), attrgetter(*names)

    def step(seen: list[Any]) -> bool:
        found = pick(seen)
        seen.extend(chain.from_iterable(map(get, map(of, found) if of else found)))
        return True

    return step


def entries(places: Sequence[int], items: list[Any]) -> Step:
    """Those of containers, whose types and lengths stay."""
    pick = picker(places)
    kinds, lengths = list(map(type, pick(items))), list(map(len, pick(items)))

    def step(seen: list[Any]) -> bool:
        found = pick(seen)
        if list(map(type, found)) != kinds or list(map(len, found)) != lengths:
            return False
        seen.extend(chain.from_iterable(found))
        return True

    return step


def mapping(places: Sequence[int], items: list[Any]) -> Step:
    """The values of dictionaries, whose types and keys stay."""
    pick, get = picker(places), methodcaller("values")
    kinds, keys = list(map(type, pick(items))), list(map(tuple, pick(items)))

    def step(seen: list[Any]) -> bool:
        found = pick(seen)
        if list(map(type, found)) != kinds or list(map(tuple, found)) != keys:
            return False
        seen.extend(chain.from_iterable(map(get, found)))
        return True

    return step


def values(places: Sequence[int]) -> Step:
    """The values of dictionaries."""
    pick, get = picker(places), methodcaller("values")

    def step(seen: list[Any]) -> bool:
        seen.extend(chain.from_iterable(map(get, pick(seen))))
        return True

    return step


def attributes(places: Sequence[int], items: list[Any]) -> Step:
    """The values of all attributes of objects, whose names stay."""
    pick, space, get = picker(places), attrgetter("__dict__"), dict.values
    keys = list(map(tuple, map(space, pick(items))))

    def step(seen: list[Any]) -> bool:
        found = list(map(space, pick(seen)))
        if list(map(tuple, found)) != keys:
            return False
        seen.extend(chain.from_iterable(map(get, found)))
        return True

    return step


def namespace(place: int, of: Callable[[Any], Any] | None, names: Sequence[str], absent: frozenset[str]) -> Step:
    """Some names in a dictionary, or in that of a class or module, where others must be absent."""
    pick = picker(names)

    def step(seen: list[Any]) -> bool:
        space = of(seen[place]) if of else seen[place]
        seen.extend(pick(space))
        return bool(space.keys().isdisjoint(absent))

    return step
