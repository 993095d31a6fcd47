"""The check of ``ap.evaluate(..., check_finite=True)``: every function call, before and after.

Jets of a checked evaluation call their rules through ``checked``. Before a call it asks the table of
``rules/singular_points.py`` whether the arguments lie at a point without derivative; after it, whether all derivatives are
finite. Functions that are said in the words of others, and that the table does not know, are asked for part by part.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from typing import Any

import torch
from torch import Tensor

from apolar.engine.jet import RULES, Jet, anywhere, jets, missing, plain
from apolar.engine.torch_private import tree_leaves
from apolar.rules.decomposition import torch_function
from apolar.rules.kinks import name_of, singular_point
from apolar.rules.record import Kind, record_of
from apolar.rules.singular_points import spread

INFINITE = (
    "Choose other points, or keep the argument where the function has a finite derivative, before it is applied: "
    "torch.sqrt(x + eps), torch.log(torch.where(x > 0, x, 1.0))."
)
ALREADY = "An argument contains infinity or NaN already: find where it comes from."


class Scope(Enum):
    """Which checks are made, by who calls."""

    USER = "All."
    COMPOSITE = "Part of a function that the table does not know: only the table is asked, as parts need not be finite."
    RULE = "None."


_scope: ContextVar[Scope] = ContextVar("scope", default=Scope.USER)


def checked(jet: Jet, func: Any, *args: Any, **kwargs: Any) -> Any:
    """``func`` by its rule, where it has a derivative.

    Raises:
        SingularPoint: it has none, or not a finite one.
    """
    rule, known = RULES.get(func) or RULES[missing], torch_function(func)
    scope = _scope.get()
    if scope is Scope.RULE:
        return rule(jet, func, *args, **kwargs)
    record, order = record_of(known), max(orders(jet))
    for line in record.singular:
        with within(Scope.RULE):
            found = line.points(*args, **kwargs)
        for points in found:
            if points.order <= order and anywhere(points.mask):
                what = f"{name_of(known)} has no derivative" + f" of order {points.order}" * (points.order > 1)
                raise singular_point(what, points.mask, (args, kwargs), line.cause.value)
    said_by_others = record.kind in (Kind.COMPOSITE, Kind.DECOMPOSED) and not record.singular
    with within(Scope.COMPOSITE if said_by_others else Scope.RULE):
        result = rule(jet, func, *args, **kwargs)
    if scope is Scope.USER and record.kind is not Kind.CONSTANT:
        for y in jets(result):
            look_at(y, known, (args, kwargs))
    return result


@contextmanager
def within(scope: Scope) -> Iterator[None]:
    """Functions are called here, by such a caller."""
    token = _scope.set(scope)
    try:
        yield
    finally:
        _scope.reset(token)


def look_at(y: Jet, func: Any, arguments: Any) -> None:
    """Raise where a result has a derivative that is not finite, or is itself undefined where no argument is."""
    value, *derivatives = spread(y)
    for derivative, order in zip(derivatives, orders(y)[1:], strict=True):
        if anywhere(bad := ~torch.isfinite(derivative)):
            what = f"{name_of(func)} has no finite derivative of order {order}"
            raise singular_point(what, bad, arguments, _blame(arguments))
    if anywhere(bad := torch.isnan(value)) and not any(anywhere(torch.isnan(x)) for x in numbers(arguments)):
        raise singular_point(f"{name_of(func)} is not defined", bad, arguments, _blame(arguments))


def _blame(arguments: Any) -> str:
    return ALREADY if any(anywhere(~torch.isfinite(x)) for x in numbers(arguments)) else INFINITE


def orders(jet: Jet) -> list[int]:
    """The orders of the derivatives in the rows of ``spread``."""
    around = orders(jet.components) if isinstance(jet.components, Jet) else [0]
    return [a + p.order for a in around for p in jet.algebra.basis]


def numbers(arguments: Any) -> list[Tensor]:
    """The values of all tensors and numbers among the arguments."""
    leaves = [plain(leaf) for leaf in tree_leaves(arguments)]
    return [torch.as_tensor(leaf) for leaf in leaves if isinstance(leaf, (Tensor, int, float, complex))]
