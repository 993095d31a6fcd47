"""Whether a rule is right where it is used: along a line, each derivative is the difference quotient of the one below.

Rules of the tables are judged by the tests. Rules of users, and PyTorch's own derivatives of their operators, are judged at
their first call: for each of the orders and of the arguments that are no tensors, and again where numbers leave the range in
which they were judged, since another branch may be taken there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from apolar.algebras.algebra import Algebra, algebra
from apolar.algebras.operators import coordinates
from apolar.engine.context import begin
from apolar.engine.jet import Jet, JetRule, belongs, plain
from apolar.engine.torch_private import tree_flatten, tree_leaves, tree_unflatten

ROUNDING = 100
"""Units in the last place by which a function may be off."""

STENCIL = (-2, -1, 0, 1, 2)
"""Where on the line, in steps."""

Range = tuple[float, float]


class Judge:
    """Remembers for which arguments, and in which range of numbers, a rule was found right."""

    def __init__(self, rule: JetRule) -> None:
        self.rule = rule
        self._known: dict[Any, list[Range]] = {}

    def wrong_order(self, jet: Jet, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int | None:
        """The lowest order at which the rule is wrong for these arguments; None where it is right."""
        leaves, structure = tree_flatten((args, kwargs))
        moving = tuple(k for k, x in enumerate(leaves) if belongs(x, jet))
        values = [plain(x).detach() if isinstance(x, Tensor) else x for x in leaves]
        fixed = tuple(map(_fixed, values))
        key = func, structure, jet.algebra.order, moving, fixed
        ranges = [_range(x) for x in values if _floating(x)]
        known = self._known.get(key)
        if known is not None and all(k[0] <= r[0] and r[1] <= k[1] for k, r in zip(known, ranges, strict=True)):
            return None

        def arguments(moved: Sequence[Tensor]) -> Any:
            given = dict(zip(moving, moved, strict=True))
            return tree_unflatten([given.get(k, x) for k, x in enumerate(values)], structure)

        def lifted(*moved: Jet) -> Any:
            args, kwargs = arguments(moved)
            return self.rule(moved[0], func, *args, **kwargs)

        def plainly(*moved: Tensor) -> Any:
            args, kwargs = arguments(moved)
            return func(*args, **kwargs)

        wrong = wrong_order(plainly, lifted, [values[k] for k in moving], jet.algebra.order)
        if wrong is None and all(x.numel() for x in values if _floating(x)):
            margins = [0.0 if k in moving else 0.5 for k, x in enumerate(values) if _floating(x)]
            self._known[key] = [_joined(*each) for each in zip(ranges, known or ranges, margins, strict=True)]
        return wrong


def wrong_order(
    function: Callable[..., Any], lifted: Callable[..., Any], point: Sequence[Tensor], order: int
) -> int | None:
    """The lowest order, up to this one, at which a lifted function is not the derivative of the order below.

    At order 0 it has to be the function. With steps h, fourth-order differences of the order below are compared with what is
    given, entry by entry, up to how much they differ from those of second order, and to rounding. Entries at a kink do not
    count: there the one-sided quotients of steps h and 2h differ alike, where those of a smooth function differ twice as much.
    """
    epsilon = max(torch.finfo(x.dtype).eps for x in point)
    step, tolerance = epsilon**0.2, epsilon**0.4
    generator = torch.Generator().manual_seed(0)
    lines = [_direction(x, generator) for x in point]
    sampled = {s: _derivatives(lifted, point, lines, s * step, order) for s in STENCIL}
    values = [_real(y.detach()) for y in tree_leaves(function(*point)) if _floating(y)]
    for value, rows in zip(values, sampled[0], strict=True):
        if not torch.allclose(rows[0], value, rtol=tolerance, atol=tolerance, equal_nan=True):
            return 0
    for k in range(order):
        for i, here in enumerate(sampled[0]):
            g = {s: outputs[i][k] for s, outputs in sampled.items()}
            simple = (g[1] - g[-1]) / (2 * step)
            quotient = (8 * (g[1] - g[-1]) - (g[2] - g[-2])) / (12 * step)
            bend, wider = ((g[s] - 2 * g[0] + g[-s]).abs() / s for s in (1, 2))
            rounding = ROUNDING * epsilon * torch.stack([y.abs() for y in g.values()]).amax(0)
            allowed = rounding / step + (quotient - simple).abs() + 1e3 * epsilon * here[k + 1].abs()
            compared = torch.isfinite(quotient) & ((bend <= rounding) | (bend <= 0.75 * wider))
            off = ~((quotient - here[k + 1]).abs() <= allowed)
            if bool((compared & off).any()) or (quotient.numel() and not bool(compared.any())):
                return k + 1
    return None


def _derivatives(
    lifted: Callable[..., Any], point: Sequence[Tensor], lines: Sequence[Tensor], s: float, order: int
) -> list[list[Tensor]]:
    """For every floating-point output, its derivatives with respect to s at x + s v, from order 0 on, in real numbers."""
    over, context = _line(order), begin()
    ((first, c),) = over.seed(0)
    jets = []
    for x, v in zip(point, lines, strict=True):
        rows = [torch.zeros_like(x)] * over.size
        rows[0], rows[first] = x + s * v, c * v
        jets.append(Jet(torch.stack(rows), over, context))
    (symbol,) = over.coordinates
    read = [over.read(symbol**k) if k else ((0, 1.0),) for k in range(order + 1)]
    found = []
    for y in tree_leaves(lifted(*jets)):
        if isinstance(y, Jet):
            rows = [torch.stack([c * y.components[i] for i, c in terms]).sum(0) for terms in read]
        elif _floating(y):
            rows = [y, *[torch.zeros_like(y)] * order]
        else:
            continue
        found.append([_real(row.detach()) for row in rows])
    return found


@lru_cache
def _line(order: int) -> Algebra:
    (symbol,) = coordinates("s")
    return algebra(symbol**order)


def _direction(x: Tensor, generator: torch.Generator) -> Tensor:
    """A random direction, every entry of about the size of that of the point, so that it stays where it has a meaning."""
    size = torch.where(x == 0, 1.0, x.abs()).to(x.real.dtype)
    random = 0.5 + torch.rand(x.shape, generator=generator, dtype=torch.float64)
    signs = 1 - 2 * torch.randint(0, 2, x.shape, generator=generator)
    return (random * signs).to(size) * size.to(x.dtype)


def _real(x: Tensor) -> Tensor:
    return torch.view_as_real(x) if x.is_complex() else x


def _floating(x: Any) -> bool:
    return isinstance(x, Tensor) and (x.is_floating_point() or x.is_complex())


def _range(x: Tensor) -> Range:
    if not x.numel():
        return 0.0, 0.0
    low, high = torch.aminmax(_real(x))
    return float(low), float(high)


def _joined(found: Range, known: Range, margin: float) -> Range:
    """Both ranges; with a margin for parameters, which drift, so that they are judged now and then and not always."""
    low, high = min(found[0], known[0]), max(found[1], known[1])
    more = margin * ((high - low) or abs(high))
    return low - more, high + more


def _fixed(x: Any) -> Any:
    """What tells an argument that is not judged in a range of numbers from others."""
    if not isinstance(x, Tensor):
        return type(x), repr(x)
    return x.dtype, x.device, None if _floating(x) else x.cpu().numpy().tobytes()
