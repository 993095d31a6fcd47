"""Points where functions have no derivative: for every function that has such points a line that says where they lie.

A line tells by switching functions: the function has no derivative where a switching function is 0 and moves. What moves
is seen from the components, so that entries which stay at a kink, or tied entries which move alike, do not count.
Functions that become infinite need no line. The check itself is in ``apolar.evaluation.singular_check``.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from apolar.engine.jet import Jet, plain
from apolar.engine.torch_private import native, tree_leaves, variables
from apolar.rules.record import Cause, Points, Singular, add_singular, spellings

linalg: Any = torch.linalg


def singular(cause: Cause, *functions: Any, at: Callable[..., Iterable[Points]]) -> None:
    """A line for functions, given themselves or by a name for all their spellings in torch."""
    add_singular(Singular(cause, at), *functions)


# ------------------------------------------------------------------------------------------------------- what is looked at


def spread(x: Any) -> Tensor:
    """The value of a tensor and its derivatives on a new first axis, those of components that are jets included."""
    return spread(x.components).flatten(0, 1) if isinstance(x, Jet) else torch.as_tensor(x).unsqueeze(0)


def zero(x: Any) -> Tensor:
    """Where the value is 0."""
    return torch.as_tensor(plain(x)) == 0


def moves(x: Any) -> Tensor:
    """Where a component other than the value is not 0."""
    return (spread(x)[1:] != 0).any(0)


def crossing(*switches: Any, order: int = 1) -> tuple[Points, ...]:
    """Where one of the switching functions is 0 and moves."""
    return tuple(Points(zero(g) & moves(g), order) for g in switches)


def meeting(*switches: Any) -> tuple[Points, ...]:
    """Where all switching functions are 0 and one of them moves."""
    at = functools.reduce(torch.logical_and, map(zero, switches))
    return (Points(at & functools.reduce(torch.logical_or, map(moves, switches))),)


def ties(pick: Callable[[Tensor], Any], x: Any) -> tuple[Points, ...]:
    """Where ``pick``, which chooses entries by their order, could as well choose equal ones that move otherwise.

    In place of the entries it gets whole numbers in the same order. Equal entries differ there by how they move: once the
    largest derivative comes first, once the smallest. The results show which derivative was chosen.
    """
    value, *derivatives = spread(x)
    n = value.numel() + 1
    order = torch.where(torch.isnan(value), torch.nan, _ranks(value) * n)
    found = []
    for motion in map(_ranks, derivatives):
        for up, down in zip(_picked(pick(order + motion)), _picked(pick(order + n - motion)), strict=True):
            found.append(Points((up >= n) & (up % n != n - down % n)))
    return tuple(found)


def _ranks(x: Tensor) -> Tensor:
    """1 for the smallest entries, 2 for those that follow, …, in float64."""
    ordered, places = torch.sort(x.flatten())
    steps = torch.ones_like(ordered, dtype=torch.float64)
    steps[1:] = ordered[1:] != ordered[:-1]
    return torch.zeros_like(steps).scatter(0, places, steps.cumsum(0)).reshape(x.shape)


def _picked(result: Any) -> list[Tensor]:
    """The values without the indices."""
    return [y for y in tree_leaves(result) if y.is_floating_point()]


# -------------------------------------------------------------------------------------------------------------- entrywise

kink = functools.partial(singular, Cause.KINK)
jump = functools.partial(singular, Cause.JUMP)
tie = functools.partial(singular, Cause.TIE)

kink("abs", "absolute", "relu", at=crossing)
kink("relu6", at=lambda x: crossing(x, x - 6))
kink("leaky_relu", at=lambda x, negative_slope=0.01: crossing(x) if negative_slope != 1 else ())
kink("rrelu", at=lambda x, *_: crossing(x))
kink("prelu", at=lambda x, weight: crossing(torch.where(_channels(weight, x) == 1, 1.0, x)))
kink("elu", at=lambda x, alpha=1.0, scale=1.0, input_scale=1.0: crossing(x, order=1 if alpha * input_scale != 1 else 2))
kink("celu", at=lambda x, alpha=1.0: crossing(x, order=2))
kink("selu", at=crossing)
kink("hardtanh", at=lambda x, min_val=-1.0, max_val=1.0: crossing(x - min_val, x - max_val))
kink("hardsigmoid", "hardswish", at=lambda x: crossing(x - 3, x + 3))
kink("softshrink", at=lambda x, lambd=0.5: crossing(x - lambd, x + lambd) if lambd else ())
jump("hardshrink", at=lambda x, lambd=0.5: crossing(x - lambd, x + lambd) if lambd else ())
kink("threshold", at=lambda x, threshold, value: crossing(x - threshold))
kink(
    "clamp",
    "clip",
    at=lambda x, min=None, max=None: crossing(*(x - bound for bound in (min, max) if bound is not None)),
)
kink("clamp_min", at=lambda x, min: crossing(x - min))
kink("clamp_max", at=lambda x, max: crossing(x - max))
kink("i0e", at=crossing)
kink("i1e", F.softsign, at=lambda x: crossing(x, order=2))
kink("hypot", at=meeting)


def _channels(weight: Any, x: Any) -> Tensor:
    """A weight for all entries, or one for each along axis 1."""
    return plain(weight).reshape(() if weight.numel() == 1 else (-1, *[1] * (x.ndim - 2)))


def _whole(x: Any) -> Any:
    """0 at the whole numbers, where floor jumps."""
    return x - torch.round(x)


def _whole_but_0(x: Any) -> Any:
    """0 at the whole numbers where truncation jumps."""
    return torch.where(plain(x).abs() < 0.5, 1.0, _whole(x))


def _half(x: Any, decimals: int = 0) -> Any:
    """0 at the numbers halfway between those that are rounded to."""
    x = x * 10**decimals
    return x - torch.floor(x) - 0.5


def _divided(x: Any, y: Any, *, rounding_mode: str | None = None) -> tuple[Points, ...]:
    if rounding_mode is None:
        return ()
    return crossing((_whole if rounding_mode == "floor" else _whole_but_0)(x / y))


jump("sign", "sgn", "angle", at=crossing)
jump("floor", "ceil", at=lambda x: crossing(_whole(x)))
jump("trunc", "fix", "frac", at=lambda x: crossing(_whole_but_0(x)))
jump("round", at=lambda x, decimals=0: crossing(_half(x, decimals)))
jump("heaviside", at=lambda x, values: crossing(x))
jump("copysign", at=crossing)
jump("remainder", "__mod__", "floor_divide", "__floordiv__", at=lambda x, y: crossing(_whole(x / y)))
jump("__rfloordiv__", at=lambda x, y: crossing(_whole(y / x)))
jump("fmod", at=lambda x, y: crossing(_whole_but_0(x / y)))
jump("div", "divide", "true_divide", at=_divided)
jump("atan2", "arctan2", "xlogy", at=meeting)
jump("xlog1py", at=lambda x, y: meeting(x, y + 1))
jump("pow", "__pow__", at=lambda x, y: (Points(zero(x) & zero(y) & moves(y)),))

# ------------------------------------------------------------------------------------------------------------------- ties

tie("maximum", "minimum", "fmax", "fmin", at=lambda x, y: crossing(x - y))


def _by_order(function: Any, x: Any, *args: Any, **kwargs: Any) -> tuple[Points, ...]:
    if args and isinstance(args[0], Tensor):
        return crossing(x - args[0])
    return ties(lambda keys: function(keys, *args, **kwargs), x)


ORDERED = (
    *("max", "min", "amax", "amin", "aminmax", "median", "nanmedian", "sort", "kthvalue", "cummax", "cummin"),
    *(torch.max_pool1d_with_indices, torch.adaptive_max_pool1d, native.max_pool2d_with_indices),
    *(native.adaptive_max_pool2d, native.fractional_max_pool2d, native.max_pool3d_with_indices),
    *(native.adaptive_max_pool3d, native.fractional_max_pool3d),
)
"""Functions that choose entries by their order."""

for name in ORDERED:
    for function in spellings(name) if isinstance(name, str) else (name,):
        tie(function, at=functools.partial(_by_order, function))

tie("topk", at=lambda x, k, dim=-1, largest=True, sorted=True: ties(lambda keys: torch.topk(keys, k, dim, largest), x))
tie("_unique2", at=lambda x, *_, **options: ties(lambda keys: torch.sort(keys.flatten()).values, x))


def _rows(x: Any, dim: int | None) -> Any:
    return x.reshape(-1, 1) if dim is None else x.movedim(dim, 0).flatten(1)


def _equal_rows(difference: Any) -> tuple[Points, ...]:
    """Where two rows are equal and do not move alike."""
    return (Points(zero(difference).all(-1) & moves(difference).any(-1)),)


def _unique_dim(x: Any, dim: int, *_: Any, **options: Any) -> tuple[Points, ...]:
    rows = _rows(x, dim)
    return _equal_rows(rows[:, None] - rows)


def _unique_consecutive(
    x: Any, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> tuple[Points, ...]:
    rows = _rows(x, dim)
    return _equal_rows(rows[1:] - rows[:-1])


tie(variables.unique_dim, at=_unique_dim)
tie(variables.unique_consecutive, at=_unique_consecutive)


def _mode(x: Any, dim: int = -1, keepdim: bool = False) -> tuple[Points, ...]:
    """The mode itself has no order: where entries that are equal to it do not move alike."""
    equal = plain(x) == torch.mode(plain(x), dim, True).values
    bounds = ((torch.where(equal, d, -math.inf), torch.where(equal, d, math.inf)) for d in spread(x)[1:])
    return tuple(Points(low.amax(dim, keepdim) != high.amin(dim, keepdim)) for low, high in bounds)


tie("mode", at=_mode)


def _quantile(
    x: Any, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> tuple[Points, ...]:
    """Ties of the one or two sorted entries that are taken."""
    x, axis = (x.flatten(), 0) if dim is None or not x.ndim else (x, dim)
    numbers = torch.arange(x.shape[axis], dtype=torch.float64, device=x.device)
    place = torch.quantile(numbers, torch.as_tensor(q, dtype=torch.float64), interpolation=interpolation).reshape(-1)
    taken = torch.cat([place.floor(), place.ceil()]).long()
    return ties(lambda keys: torch.sort(keys, axis).values.index_select(axis, taken), x)


tie("quantile", "nanquantile", at=_quantile)


def _embedding_bag(
    weight: Any, indices: Any, offsets: Any, scaled: bool = False, mode: int = 0, *rest: Any
) -> tuple[Points, ...]:
    """With mode 2, the largest entries of each bag."""
    if mode != 2:
        return ()
    return ties(lambda keys: torch.embedding_bag(keys, indices, offsets, scaled, mode, *rest), weight)


tie(torch.embedding_bag, at=_embedding_bag)

# ------------------------------------------------------------------------------------------------------------------ norms


def _norm(x: Any, p: float, dim: Any) -> tuple[Points, ...]:
    """‖x‖ₚ over axes: where all entries are 0, and where one is, from the order on at which |x|ᵖ has no derivative."""
    dims = list(range(x.ndim)) if dim is None or dim == () else dim
    one, every = Points((zero(x) & moves(x)).any(dims)), Points(zero(x).all(dims) & moves(x).any(dims))
    if abs(p) == math.inf:
        pick = functools.partial(torch.amax if p > 0 else torch.amin, dim=dims)
        size = torch.abs(x)
        return Points(one.mask & (pick(plain(size)) == 0)), *ties(pick, size)
    if p > 0 and p % 2 == 0:
        return (every,)
    return every, Points(one.mask, order=math.ceil(p))


def _matrix_norm(x: Any, ord: Any = "fro", dim: Any = (-2, -1), *_: Any, **options: Any) -> tuple[Points, ...]:
    """Of Frobenius; and the largest or smallest sum of |x| along an axis: ties of sums, and zeros in one that is chosen."""
    if ord in ("nuc", 2, -2):
        return ()
    if ord == "fro":
        return _norm(x, 2, dim)
    size = torch.abs(x).sum(dim[0] if abs(ord) == 1 else dim[1], keepdim=True)
    pick = functools.partial(torch.amax if ord > 0 else torch.amin, dim=dim)
    chosen = plain(size) == pick(plain(size), keepdim=True)
    return Points((zero(x) & moves(x) & chosen).any(dim)), *ties(pick, size)


def _any_norm(x: Any, ord: Any = None, dim: Any = None, *_: Any, **options: Any) -> tuple[Points, ...]:
    """torch.linalg.norm: of matrices where an order is given for two axes."""
    axes = dim if dim is not None else (-2, -1) if x.ndim == 2 else ()
    if isinstance(ord, str) or (ord is not None and isinstance(axes, (tuple, list)) and len(axes) == 2):
        return _matrix_norm(x, ord, (-2, -1) if dim is None else dim)
    return _norm(x, 2 if ord is None else ord, dim)


def _torch_norm(x: Any, p: Any = "fro", dim: Any = None, *_: Any, **options: Any) -> tuple[Points, ...]:
    """torch.norm: of all entries as one vector but for the nuclear norm."""
    return () if p == "nuc" else _norm(x, 2 if p in ("fro", None) else p, dim)


def _std(x: Any, dim: Any = None, *_: Any, **options: Any) -> tuple[Points, ...]:
    """The norm of x − mean x."""
    dim = None if isinstance(dim, bool) else dim
    return _norm(x - x.mean(dim, True), 2, dim)


def _renorm(x: Any, p: float, dim: int, maxnorm: float) -> tuple[Points, ...]:
    others = [d for d in range(x.ndim) if d != dim % x.ndim]
    return crossing(linalg.vector_norm(x, p, others, True) - maxnorm)


def _pairs(x: Any) -> Any:
    i, j = torch.triu_indices(x.shape[0], x.shape[0], 1, device=x.device)
    return x[i] - x[j]


norm = functools.partial(singular, Cause.NORM)

norm(linalg.vector_norm, at=lambda x, ord=2, dim=None, keepdim=False, *, dtype=None: _norm(x, ord, dim))
norm(linalg.matrix_norm, at=_matrix_norm)
norm(linalg.norm, at=_any_norm)
norm("norm", at=_torch_norm)
norm("std", at=_std)
norm("dist", at=lambda x, y, p=2.0: _norm((x - y).flatten(), p, 0))
norm(torch.cdist, at=lambda x1, x2, p=2.0, compute_mode=None: _norm(x1.unsqueeze(-2) - x2.unsqueeze(-3), p, -1))
norm(torch.pdist, at=lambda x, p=2.0: _norm(_pairs(x), p, -1))
kink("renorm", at=_renorm)

# ----------------------------------------------------------------------------------------------------------------- losses

kink(native.l1_loss, at=lambda x, y, *_: crossing(x - y))
kink(native.huber_loss, at=lambda x, y, _=1, delta=1.0: crossing(x - y - delta, x - y + delta, order=2))
kink(
    native.smooth_l1_loss,
    at=lambda x, y, _=1, beta=1.0: crossing(x - y - beta, x - y + beta, order=2) if beta else crossing(x - y),
)
kink(torch.hinge_embedding_loss, at=lambda x, y, margin=1.0, *_: crossing(torch.where(y == 1, 1.0, margin - x)))
kink(
    torch.cosine_embedding_loss,
    at=lambda x, y, sign, margin=0.0, *_: crossing(torch.where(sign == 1, 1.0, F.cosine_similarity(x, y, -1) - margin)),
)


def _multi_margin(x: Any, y: Any, p: int = 1, margin: float = 1.0, *_: Any) -> tuple[Points, ...]:
    """Of the classes other than the right one."""
    x, y = torch.atleast_2d(x), y.reshape(-1, 1)
    right = torch.arange(x.shape[-1], device=x.device) == y
    return crossing(torch.where(right, 1.0, margin - torch.gather(x, -1, y) + x), order=p)


kink(native.multi_margin_loss, at=_multi_margin)
