"""What jets do at points where a function has no derivative.

A first derivative keeps the convention of torch there. A derivative of order two or higher is NaN at first, and so is whatever
is made of it, so that no finite number rests on one that does not exist: at the end of a pass, what is asked for is either
finite and right, or the pass raises. What a root loses at 0 its square still has: the result of a norm remembers its square.
Between the records, which say where the points are, and the passes, which ask what was met.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from apolar.engine.context import may_wait, recording
from apolar.engine.jet import Jet, JetRule, Root, anywhere, belongs, constant_components, jets, plain, user_line
from apolar.engine.series import NUMBERS
from apolar.engine.torch_private import tree_leaves, version
from apolar.errors import SingularPoint
from apolar.rules.components import map_tree
from apolar.rules.record import Points, Rule, Singular

# ------------------------------------------------------------------------------------------------------------ what was met


@dataclass
class Meetings:
    """The points without derivative that rules meet during a computation.

    Attributes:
        orders: how many derivatives are taken around the passes of the computation, by reverse mode.
        possible: whether a function was called that has such points.
        unseen: whether one of them looked at no values, and marked its result only.
        errors: the errors for those that were met, the first one first.
        flags: while a compiler records and nothing can be looked at, whether there may be one, a tensor for each function.
    """

    orders: int = 0
    possible: bool = False
    unseen: bool = False
    errors: list[SingularPoint] = field(default_factory=list)
    flags: list[Tensor] = field(default_factory=list)

    def settle(self, results: Iterable[Any], again: Callable[[], Any]) -> None:
        """Raise where a result is not finite, after a point was met; inside of reverse mode the transform decides.

        Args:
            results: what is asked for.
            again: makes them once more, and raises the error for a point that was not seen.
        """
        if not (self.errors or self.unseen) or self.orders or recording() or all(map(finite, results)):
            return
        if self.errors:
            raise self.errors[0]
        again()


_met: ContextVar[Meetings | None] = ContextVar("met", default=None)


@contextmanager
def meetings(orders: int = 0) -> Iterator[Meetings]:
    """What is met in here, and so many derivatives of it taken by reverse mode."""
    around = _met.get()
    found = Meetings(orders + (around.orders if around else 0))
    token = _met.set(found)
    try:
        yield found
    finally:
        _met.reset(token)
        if around is not None and found.possible:
            around.possible = True
            around.unseen |= found.unseen
            around.errors += found.errors
            around.flags += found.flags


def finite(x: Any) -> bool:
    """Whether the values of a tensor are, in all batches of torch.func."""
    x = plain(x)
    return not (x.is_floating_point() or x.is_complex()) or not anywhere(~torch.isfinite(x))


def singular_point(what: str, mask: Tensor, arguments: Any, advice: str) -> SingularPoint:
    """The error: at how many entries, at which first, what moving arguments are there, and the line of user code."""
    mask = torch.func.debug_unwrap(mask, recurse=True)
    first = tuple(mask.nonzero()[0].tolist())
    given = (torch.func.debug_unwrap(plain(x), recurse=True) for x in jets(arguments))
    there = [f"{x[first].item():.6g}" for x in given if x.shape == mask.shape]
    count = f" at {int(mask.sum())} of {mask.numel()} entries, the first at index {first}," if mask.ndim else ""
    value = f" where it is given {', '.join(there)}," if there else ""
    return SingularPoint(f"{what}{count}{value}".rstrip(",") + f"{user_line()}. {advice}")


def name_of(func: Any) -> str:
    """pow for Tensor.__pow__."""
    return str(getattr(func, "__name__", func)).strip("_")


# ------------------------------------------------------------------------------------------------------------ what jets do

SECOND = 2
"""The order from which on a derivative at a kink is right or refused."""

_inside: ContextVar[bool] = ContextVar("inside", default=False)
"""Within a function that has lines in the table: these say where it is singular, those of its parts do not count."""


def watched(rule: JetRule, marked: JetRule | None, record: Rule) -> JetRule:
    """What jets do by ``rule``, and at the singular points of the record; by ``marked`` where nothing needs to be looked at."""
    lines = [line for line in record.singular if not line.one_sided]
    if not lines and record.square is None:
        return rule

    def watched_rule(jet: Jet, func: Any, *args: Any, **kwargs: Any) -> Any:
        if _inside.get() or jet.context.checked is not None:
            return rule(jet, func, *args, **kwargs)
        found = _met.get()
        if marked is not None and found is not None and not found.orders and _may_wait(jet, args, kwargs):
            found.possible = found.unseen = True
            return _remembering(record, marked(jet, func, *args, **kwargs), args, kwargs)
        token = _inside.set(True)
        try:
            result = rule(jet, func, *args, **kwargs)
            lowest = max(1, SECOND - (found.orders if found is not None else 0))
            for line in lines if lowest <= _order(next(jets(result), jet)) else ():
                result = _marked(jet, func, line, result, lowest, found, args, kwargs)
            return _remembering(record, result, args, kwargs)
        finally:
            _inside.reset(token)

    return watched_rule


def _may_wait(jet: Jet, args: Any, kwargs: Any) -> bool:
    """Whether a pass of order two or higher, with none around, applies a function of one tensor and of numbers."""
    if jet.algebra.order < SECOND or isinstance(jet._stacked, Jet) or not may_wait():
        return False
    numbers = (*args[1:], *kwargs.values())
    return args[0] is jet and jet.dtype.is_floating_point and all(type(p) in NUMBERS for p in numbers)


def _order(x: Any) -> int:
    """The highest order of the derivatives of a jet, those of passes around included."""
    return x.algebra.order + _order(x._stacked) if isinstance(x, Jet) else 0


def _marked(
    jet: Jet, func: Any, line: Singular, result: Any, lowest: int, found: Meetings | None, args: Any, kwargs: Any
) -> Any:
    """The result, with NaN for derivatives that do not exist, from the order ``lowest`` on."""
    if found is not None:
        found.possible = True
    for mask, order in _points(line, result, args, kwargs):
        if recording():
            if found is not None:
                found.flags.append(torch.func.debug_unwrap(mask, recurse=True).any())
            continue
        if not anywhere(mask):
            continue
        if found is not None and not found.errors:
            what = f"{name_of(func)} has no derivative" + f" of order {order}" * (order > 1)
            found.errors.append(singular_point(what, mask, (args, kwargs), line.cause.value))
        result = map_tree(functools.partial(_undefined, jet, mask, max(order, lowest)), result)
    return result


def _points(line: Singular, result: Any, args: Any, kwargs: Any) -> Iterable[Points]:
    """Where the line finds its function singular; not looked for where a glance at the result tells that it is not.

    While a compiler records, the hint is all: whatever moves there may not have a derivative.
    """
    if line.hint is None:
        return line.points(*args, **kwargs)
    hint = line.hint(map_tree(plain, result), *map_tree(plain, args), **map_tree(plain, kwargs))
    if recording():
        return [Points(hint)]
    return line.points(*args, **kwargs) if anywhere(hint) else ()


def _undefined(jet: Jet, mask: Tensor, order: int, y: Any) -> Any:
    """NaN in the derivatives of ``y`` of this order and higher where the mask holds."""
    if not isinstance(y, Tensor) or not (y.is_floating_point() or y.is_complex()):
        return y
    y = y if belongs(y, jet) else jet.like(constant_components(y, jet))
    return _with_nan(y, _fitted(mask, y.shape), order)


def _with_nan(x: Tensor, mask: Tensor, order: int) -> Tensor:
    if not isinstance(x, Jet):
        return x.masked_fill(mask, torch.nan) if order <= 0 else x
    rows = zip(x.algebra.basis, x.components.unbind(0), strict=True)
    return x.like(torch.stack([_with_nan(c, mask, order - p.order) for p, c in rows]))


def _fitted(mask: Tensor, shape: torch.Size) -> Tensor:
    """A mask of entries of the arguments, for a result: for all of it where its entries are made of several."""
    if mask.shape == shape or not mask.ndim:
        return mask
    return mask.reshape(shape) if mask.numel() == shape.numel() else mask.any()


# ----------------------------------------------------------------------------------------------------------------- squares


class Writes(threading.local):
    """How often a jet of this thread was written to in place."""

    count = 0


written = Writes()


def _remembering(record: Rule, y: Any, args: Any, kwargs: Any) -> Any:
    """``y``, with its square, which is made when it is asked for."""
    if record.square is None or not isinstance(y, Jet):
        return y
    constants = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor) and not isinstance(x, Jet)]
    if any(x.is_inference() for x in constants):
        return y
    at, definition = y.shape, record.square

    def square() -> Jet | None:
        if state() != before:
            return None
        found = definition(*args, **kwargs)
        return found if isinstance(found, Jet) and found.shape == at else None

    def state() -> list[int]:
        return [written.count, *map(version, constants)]

    before = state()
    y.root = Root(square)
    return y


def square_of(x: Any) -> Jet | None:
    """x·x, where ``x`` is a root, and nothing was written to since."""
    return x.root.square() if isinstance(x, Jet) and x.root is not None else None


def scaled(result: Jet, x: Jet, factor: Any) -> Jet:
    """``result``, which is ``x`` times a constant: it is a root where ``x`` is one."""
    root = x.root
    if root is None or isinstance(factor, Jet) or result.shape != x.shape:
        return result
    squared = factor * factor

    def square() -> Jet | None:
        found = root.square()
        return None if found is None else found * squared

    result.root = Root(square, positive=False)
    return result


def product_of_roots(x: Jet, y: Jet) -> Jet | None:
    """x·y, where both are the same root of the same square; of different roots only those are compared that are 0 somewhere."""
    if x.root is None or y.root is None:
        return None
    if x is not y and not (x.root.positive and y.root.positive and not recording() and anywhere(plain(x) == 0)):
        return None
    a, b = square_of(x), square_of(y) if x is not y else None
    if a is None or (x is not y and (b is None or not _same(a, b))):
        return None
    return a.like(a.components.clone())


def even_power(x: Any, exponent: Any) -> Any:
    """xᵖ for p = 2, 4, …, where ``x`` is a root; None where it is not."""
    square = square_of(x)
    if square is None or type(exponent) not in (int, float) or exponent <= 0 or exponent % 2:
        return None
    return square.like(square.components.clone()) if exponent == 2 else square ** (exponent // 2)


def _same(a: Jet, b: Jet) -> bool:
    return a.shape == b.shape and not anywhere(_differ(a.components, b.components))


def _differ(a: Tensor, b: Tensor) -> Tensor:
    return _differ(a.components, b.components) if isinstance(a, Jet) and isinstance(b, Jet) else a != b
