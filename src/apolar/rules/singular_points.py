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

from apolar.engine.context import recording
from apolar.engine.jet import Jet, anywhere, plain
from apolar.engine.torch_private import native, tree_leaves, variables
from apolar.rules import registry
from apolar.rules.record import Cause, Points, Singular, spellings

linalg: Any = torch.linalg


def singular(
    cause: Cause,
    *functions: Any,
    at: Callable[..., Iterable[Points]],
    one_sided: bool = False,
    hint: Callable[..., Tensor] | None = None,
) -> None:
    """A line for functions, given themselves or by a name for all their spellings in torch."""
    registry.singular(Singular(cause, at, one_sided, hint), *functions)


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


def moving(at: Tensor, *motions: Callable[[], Tensor]) -> Tensor:
    """Where the condition holds and something moves; how it moves is looked at only where the condition holds somewhere.

    While a compiler records, nothing is looked at, and the condition is all.
    """
    if recording() or not anywhere(at):
        return at
    return at & functools.reduce(torch.logical_or, (moved() for moved in motions))


def crossing(*switches: Any, order: int = 1) -> tuple[Points, ...]:
    """Where one of the switching functions is 0 and moves."""
    return tuple(Points(moving(zero(g), functools.partial(moves, g)), order) for g in switches)


def reaching(x: Any, *bounds: Any, order: int = 1) -> tuple[Points, ...]:
    """Where ``x`` is at one of the bounds, and does not move along with it."""
    given = [b for b in bounds if b is not None]
    return tuple(Points(moving(plain(x) == plain(b), functools.partial(_apart, x, b)), order) for b in given)


def _apart(x: Any, bound: Any) -> Tensor:
    return moves(x - bound)


def meeting(*switches: Any) -> tuple[Points, ...]:
    """Where all switching functions are 0 and one of them moves."""
    at = functools.reduce(torch.logical_and, map(zero, switches))
    return (Points(moving(at, *(functools.partial(moves, g) for g in switches))),)


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
step = functools.partial(singular, Cause.JUMP)
jump = functools.partial(singular, Cause.JUMP, one_sided=True)
tie = functools.partial(singular, Cause.TIE)
pick = functools.partial(singular, Cause.TIE, one_sided=True)


def kinked(*functions: Any, at: Callable[..., tuple[float, ...]], order: int = 1) -> None:
    """A line for elementwise functions that have no derivatives of this order and higher ones at certain numbers."""
    kink(*functions, at=lambda x, *args, **named: reaching(x, *at(*args, **named), order=order))
    registry.kinked(at, *functions)


kinked("abs", "absolute", at=lambda: (0.0,))
kinked("relu", at=lambda: (0.0,))
kinked("relu6", at=lambda: (0.0, 6.0))
kinked("leaky_relu", at=lambda negative_slope=0.01: (0.0,) if negative_slope != 1 else ())
kink("rrelu", at=lambda x, *_: crossing(x))
kink("prelu", at=lambda x, weight: crossing(torch.where(_channels(weight, x) == 1, 1.0, x)))
kink("elu", at=lambda x, alpha=1.0, scale=1.0, input_scale=1.0: crossing(x, order=1 if alpha * input_scale != 1 else 2))
kinked("celu", at=lambda alpha=1.0: (0.0,), order=2)
kinked("selu", at=lambda: (0.0,))
kinked("hardtanh", at=lambda min_val=-1.0, max_val=1.0: (min_val, max_val))
kinked("hardsigmoid", "hardswish", at=lambda: (3.0, -3.0))
kinked("softshrink", at=lambda lambd=0.5: (lambd, -lambd) if lambd else ())
jump("hardshrink", at=lambda x, lambd=0.5: reaching(x, lambd, -lambd) if lambd else ())
kinked("threshold", at=lambda threshold, value: (threshold,))
kink(
    "clamp",
    "clip",
    at=lambda x, min=None, max=None: reaching(x, min, max),
)
kink("clamp_min", at=lambda x, min: reaching(x, min))
kink("clamp_max", at=lambda x, max: reaching(x, max))
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


step("sign", "sgn", at=crossing)
jump("angle", at=crossing)
jump("floor", "ceil", at=lambda x: crossing(_whole(x)))
jump("trunc", "fix", "frac", at=lambda x: crossing(_whole_but_0(x)))
jump("round", at=lambda x, decimals=0: crossing(_half(x, decimals)))
step("heaviside", at=lambda x, values: crossing(x))
step("copysign", at=crossing)
jump("remainder", "__mod__", "floor_divide", "__floordiv__", at=lambda x, y: crossing(_whole(x / y)))
jump("__rfloordiv__", at=lambda x, y: crossing(_whole(y / x)))
jump("fmod", at=lambda x, y: crossing(_whole_but_0(x / y)))
jump("div", "divide", "true_divide", at=_divided)
jump("atan2", "arctan2", "xlogy", at=meeting)
jump("xlog1py", at=lambda x, y: meeting(x, y + 1))
jump("pow", "__pow__", at=lambda x, y: (Points(zero(x) & zero(y) & moves(y)),))

# ------------------------------------------------------------------------------------------------------------------- ties

tie("maximum", "minimum", "fmax", "fmin", at=reaching)


def _by_order(function: Any, x: Any, *args: Any, **kwargs: Any) -> tuple[Points, ...]:
    if args and isinstance(args[0], Tensor):
        return reaching(x, args[0])
    return ties(lambda keys: function(keys, *args, **kwargs), x)


def _again(position: int = 0, default: Any = None) -> Callable[..., Tensor]:
    """Whether an entry that was chosen along axes, of which the argument at a position tells, is there more than once."""

    def hint(result: Any, x: Tensor, *args: Any, **named: Any) -> Tensor:
        if args and isinstance(args[0], Tensor):
            return x == args[0]
        dim = named.get("dim", args[position] if len(args) > position else default)
        dims = range(x.ndim) if dim is None or dim == () else (dim,) if isinstance(dim, int) else dim
        along = sorted({d % max(x.ndim, 1) for d in dims})
        shape = [1 if d in along else n for d, n in enumerate(x.shape)]
        return torch.stack([(x == y.reshape(shape)).sum(along) > 1 for y in _picked(result)])

    return hint


def _side_by_side(result: Any, x: Tensor, dim: int = -1, *_: Any, **named: Any) -> Tensor:
    """Whether two sorted entries are equal."""
    return torch.diff(result[0], dim=dim) == 0 if x.ndim else torch.isnan(x) & False


def _running(result: Any, x: Tensor, dim: int) -> Tensor:
    """Whether an entry is equal to the largest, or the smallest, before it."""
    if not x.ndim:
        return torch.isnan(x) & False
    n = x.shape[dim]
    return x.narrow(dim, 1, n - 1) == result[0].narrow(dim, 0, n - 1)


def _best(result: Any, x: Tensor, k: int, dim: int = -1, *_: Any, **named: Any) -> Tensor:
    """Whether two of the k best are equal, or the last of them to one that is not among them."""
    if not x.ndim or not k:
        return torch.isnan(x) & False
    found = torch.sort(result[0], dim).values
    ends = [found.narrow(dim, i, 1) for i in (0, k - 1)]
    outside = [((x == y).sum(dim, keepdim=True) != (found == y).sum(dim, keepdim=True)) for y in ends]
    return torch.cat([torch.diff(found, dim=dim) == 0, *outside], dim)


CHOOSING: dict[str, Callable[..., Tensor]] = {
    **dict.fromkeys(("max", "min", "amax", "amin", "aminmax", "median", "nanmedian"), _again()),
    **{"kthvalue": _again(1, -1), "sort": _side_by_side, "cummax": _running, "cummin": _running},
}
"""Functions that choose entries along axes by their order, each with a hint of ties."""

POOLING = (
    *(torch.max_pool1d_with_indices, torch.adaptive_max_pool1d, native.max_pool2d_with_indices),
    *(native.adaptive_max_pool2d, native.fractional_max_pool2d, native.max_pool3d_with_indices),
    *(native.adaptive_max_pool3d, native.fractional_max_pool3d),
)
"""Functions that choose the first of the largest entries in windows."""

for name, hint in CHOOSING.items():
    for function in spellings(name):
        tie(function, at=functools.partial(_by_order, function), hint=hint)
for function in POOLING:
    pick(function, at=functools.partial(_by_order, function))

tie(
    "topk",
    at=lambda x, k, dim=-1, largest=True, sorted=True: ties(lambda keys: torch.topk(keys, k, dim, largest), x),
    hint=_best,
)
pick("_unique2", at=lambda x, *_, **options: ties(lambda keys: torch.sort(keys.flatten()).values, x))


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


pick(variables.unique_dim, at=_unique_dim)
pick(variables.unique_consecutive, at=_unique_consecutive)


def _mode(x: Any, dim: int = -1, keepdim: bool = False) -> tuple[Points, ...]:
    """The mode itself has no order: where entries that are equal to it do not move alike."""
    equal = plain(x) == torch.mode(plain(x), dim, True).values
    bounds = ((torch.where(equal, d, -math.inf), torch.where(equal, d, math.inf)) for d in spread(x)[1:])
    return tuple(Points(low.amax(dim, keepdim) != high.amin(dim, keepdim)) for low, high in bounds)


pick("mode", at=_mode)


def _quantile(
    x: Any, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> tuple[Points, ...]:
    """Ties of the one or two sorted entries that are taken."""
    x, axis = (x.flatten(), 0) if dim is None or not x.ndim else (x, dim)
    numbers = torch.arange(x.shape[axis], dtype=torch.float64, device=x.device)
    place = torch.quantile(numbers, torch.as_tensor(q, dtype=torch.float64), interpolation=interpolation).reshape(-1)
    taken = torch.cat([place.floor(), place.ceil()]).long()
    return ties(lambda keys: torch.sort(keys, axis).values.index_select(axis, taken), x)


pick("quantile", "nanquantile", at=_quantile)


def _embedding_bag(
    weight: Any, indices: Any, offsets: Any, scaled: bool = False, mode: int = 0, *rest: Any
) -> tuple[Points, ...]:
    """With mode 2, the largest entries of each bag."""
    if mode != 2:
        return ()
    return ties(lambda keys: torch.embedding_bag(keys, indices, offsets, scaled, mode, *rest), weight)


pick(torch.embedding_bag, at=_embedding_bag)

# ------------------------------------------------------------------------------------------------------------------ norms


def _norm(x: Any, p: float, dim: Any) -> tuple[Points, ...]:
    """‖x‖ₚ over axes: where all entries are 0, and where one is, from the order on at which |x|ᵖ has no derivative."""
    dims = list(range(x.ndim)) if dim is None or dim == () else dim
    every = Points(moving(zero(x).all(dims), lambda: moves(x).any(dims)))
    if p > 0 and p % 2 == 0:
        return (every,)
    one = Points(moving(zero(x), lambda: moves(x)).any(dims))
    if abs(p) == math.inf:
        pick = functools.partial(torch.amax if p > 0 else torch.amin, dim=dims)
        size = torch.abs(x)
        return Points(one.mask & (pick(plain(size)) == 0)), *ties(pick, size)
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


def _distance(result: Tensor, x: Tensor, y: Tensor, p: float = 2.0, compute_mode: Any = None) -> Tensor:
    """Whether a distance is 0; for other p a single difference may be."""
    return result == 0 if p > 0 and p % 2 == 0 else torch.ones_like(result, dtype=torch.bool)


norm = functools.partial(singular, Cause.NORM)

norm(linalg.vector_norm, at=lambda x, ord=2, dim=None, keepdim=False, *, dtype=None: _norm(x, ord, dim))
norm(linalg.matrix_norm, at=_matrix_norm)
norm(linalg.norm, at=_any_norm)
norm("norm", at=_torch_norm)
norm("std", at=_std, hint=lambda y, *_, **options: y == 0)
norm("dist", at=lambda x, y, p=2.0: _norm((x - y).flatten(), p, 0), hint=_distance)
norm(
    torch.cdist,
    at=lambda x1, x2, p=2.0, compute_mode=None: _norm(x1.unsqueeze(-2) - x2.unsqueeze(-3), p, -1),
    hint=_distance,
)
norm(torch.pdist, at=lambda x, p=2.0: _norm(_pairs(x), p, -1), hint=lambda y, x, p=2.0: _distance(y, x, x, p))
kink("renorm", at=_renorm)

# ----------------------------------------------------------------------------------------------------------------- squares


def _sizes(x: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
    """Σ |x|² over axes."""
    x = x if dtype is None else x.to(dtype)
    squares = (x * x.conj()).real if x.is_complex() else x * x
    return squares.sum(list(range(x.ndim)) if dim is None or dim == () else dim, keepdim)


def _where_real(x: Any) -> Any:
    """(√x)², which is not a number for negative x."""
    return x if x.is_complex() else torch.where(plain(x) < 0, math.nan, x)


def _square_of_norm(
    x: Any, ord: Any = None, dim: Any = None, keepdim: bool = False, dtype: Any = None, *, matrix: bool = False
) -> Any:
    """Of the Euclidean norm or Frobenius' norm; other orders have none."""
    return _sizes(x, dim, keepdim, dtype) if ord in (None, "fro") or (ord == 2 and not matrix) else None


def _square_of_any_norm(x: Any, ord: Any = None, dim: Any = None, *args: Any, **options: Any) -> Any:
    """torch.linalg.norm: its order 2 is another norm for matrices."""
    matrix = x.ndim == 2 if dim is None else isinstance(dim, (tuple, list)) and len(dim) == 2
    return _square_of_norm(x, ord, dim, *args, matrix=matrix, **options)


def _square_of_std(x: Any, dim: Any = None, *args: Any, **options: Any) -> Any:
    return torch.var(x, dim, *args, **options) if dim is not None or args else torch.var(x, **options)


square = registry.square
square(lambda x: (x * x.conj()).real if x.is_complex() else x * x, "abs", "absolute")
square(_where_real, "sqrt")
square(lambda x, y: _where_real(x) if type(y) is float and y == 0.5 else None, "pow", "__pow__")
square(lambda x, y: x * x + y * y, "hypot")
square(_square_of_norm, linalg.vector_norm)
square(lambda x, p="fro", *rest, **named: _square_of_norm(x, p, *rest, **named), "norm")
square(
    lambda A, ord="fro", dim=(-2, -1), *args, **options: _square_of_norm(A, ord, dim, *args, matrix=True, **options),
    linalg.matrix_norm,
)
square(_square_of_any_norm, linalg.norm)
square(_square_of_std, "std")
square(lambda x, y, p=2.0: _sizes(x - y) if p == 2 else None, "dist")
square(
    lambda x, y, p=2.0, compute_mode=None: _sizes(x.unsqueeze(-2) - y.unsqueeze(-3), -1) if p == 2 else None,
    torch.cdist,
)
square(lambda x, p=2.0: _sizes(_pairs(x), -1) if p == 2 else None, torch.pdist)

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
