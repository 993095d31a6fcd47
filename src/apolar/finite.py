"""The check of ``ap.evaluate(..., check_finite=True)``: every function call, before and after.

Jets of a checked evaluation call their rules through ``checked``. Before a call it asks the table of
``rules/singular_points.py`` whether the arguments lie at a point without derivative; after it, whether all derivatives are
finite. What a rule does inside is left alone, unless it is said in the words of others and the table does not know it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from apolar.errors import SingularPoint
from apolar.jet import RULES, Jet, anywhere, jets, missing, plain, user_line
from apolar.rules.registry import KINDS, torch_function
from apolar.rules.singular_points import TABLE, spread

INFINITE = (
    "Choose other points, or keep the argument where the function has a finite derivative, before it is applied: "
    "torch.sqrt(x + eps), torch.log(torch.where(x > 0, x, 1.0))."
)
ALREADY = "An argument contains infinity or NaN already: find where it comes from."

_quiet: ContextVar[bool] = ContextVar("quiet", default=False)
"""Whether a rule is at work, whose own calls are not checked."""


def checked(jet: Jet, func: Any, *args: Any, **kwargs: Any) -> Any:
    """``func`` by its rule, where it has a derivative.

    Raises:
        SingularPoint: it has none, or not a finite one.
    """
    rule, known = RULES.get(func) or RULES[missing], torch_function(func)
    if _quiet.get():
        return rule(jet, func, *args, **kwargs)
    order = max(orders(jet))
    for line in TABLE.get(known, ()):
        with quiet():
            found = line.points(*args, **kwargs)
        for points in found:
            if points.order <= order and anywhere(points.mask):
                what = f"{name_of(known)} has no derivative" + f" of order {points.order}" * (points.order > 1)
                raise singular_point(what, points.mask, (args, kwargs), line.cause.value)
    with quiet(known in TABLE or KINDS.get(known, "composite") != "composite"):
        result = rule(jet, func, *args, **kwargs)
    if KINDS.get(known) != "constant":
        for y in jets(result):
            look_at(y, known, (args, kwargs))
    return result


@contextmanager
def quiet(on: bool = True) -> Iterator[None]:
    """No checks inside."""
    token = _quiet.set(on)
    try:
        yield
    finally:
        _quiet.reset(token)


def look_at(y: Jet, func: Any, arguments: Any) -> None:
    """Raise where a result has a derivative that is not finite, or is itself undefined where no argument is."""
    value, *derivatives = spread(y)
    for derivative, order in zip(derivatives, orders(y)[1:], strict=True):
        bad = ~torch.isfinite(derivative)
        if anywhere(bad):
            already = any(anywhere(~torch.isfinite(x)) for x in numbers(arguments))
            what = f"{name_of(func)} has no finite derivative of order {order}"
            raise singular_point(what, bad, arguments, ALREADY if already else INFINITE)
    if anywhere(torch.isnan(value)) and not any(anywhere(torch.isnan(x)) for x in numbers(arguments)):
        raise singular_point(f"{name_of(func)} is not defined", torch.isnan(value), arguments, INFINITE)


def orders(jet: Jet) -> list[int]:
    """The orders of the derivatives in the rows of ``spread``."""
    around = orders(jet.components) if isinstance(jet.components, Jet) else [0]
    return [a + p.order for a in around for p in jet.algebra.basis]


def numbers(arguments: Any) -> list[Tensor]:
    """The values of all tensors and numbers among the arguments."""
    leaves = [plain(leaf) for leaf in tree_leaves(arguments)]
    return [torch.as_tensor(leaf) for leaf in leaves if isinstance(leaf, (Tensor, int, float, complex))]


def name_of(func: Any) -> str:
    """pow for Tensor.__pow__."""
    return str(getattr(func, "__name__", func)).strip("_")


def singular_point(what: str, mask: Tensor, arguments: Any, advice: str) -> SingularPoint:
    """The error: at how many entries, at which first, what the arguments are there, and the line of user code."""
    mask = torch.func.debug_unwrap(mask, recurse=True)
    first = tuple(mask.nonzero()[0].tolist())
    there = [x[first].item() for x in numbers(arguments) if x.shape == mask.shape]
    count = f" at {int(mask.sum())} of {mask.numel()} entries, the first at index {first}," if mask.ndim else ""
    given = f" where it is given {', '.join(f'{x:.6g}' for x in there)}," if there else ""
    return SingularPoint(f"{what}{count}{given}".rstrip(",") + f"{user_line()}. {advice}")
