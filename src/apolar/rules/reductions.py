"""Sums, means, products, norms and what is made of them, along axes."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from apolar.engine.context import values_decide
from apolar.engine.jet import Jet, anywhere, beneath, jets, plain
from apolar.rules.components import apply_linear
from apolar.rules.record import Entries, Kind
from apolar.rules.registry import composite, linear, rule, stacked
from apolar.rules.shapes import axes, axis

# ---------------------------------------------------------------------------------------------------------------- linear


@stacked("sum", entries=Entries.ALONG)
def sum(
    x: Tensor, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: bool = False, dtype: Any = None
) -> Tensor:
    return x.sum(axes(x, axis if dim is None else dim), keepdim or keepdims, dtype=dtype)


@stacked("mean", entries=Entries.ALONG)
def mean(
    x: Tensor, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: bool = False, dtype: Any = None
) -> Tensor:
    return x.mean(axes(x, axis if dim is None else dim), keepdim or keepdims, dtype=dtype)


@stacked("cumsum", entries=Entries.ALONG)
def cumsum(x: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    return x.cumsum(axis(x, dim), dtype=dtype)


linear("bincount", arguments=(1, "weights"))
linear("diff", arguments=(0, 3, 4, "prepend", "append"))


@rule("gradient", kind=Kind.LINEAR)
def gradient(jet: Jet, func: Any, x: Any, **options: Any) -> Any:
    """Linear in the values; spacings that depend on the coordinates are followed through what torch composes it of."""
    if any(True for _ in jets(options)):
        return beneath(func, x, **options)
    return apply_linear(jet, func, x, **options)


def _trapezoids(y: Any, x: Any, dx: float, dim: int) -> Any:
    """(yᵢ + yᵢ₊₁)/2 · (xᵢ₊₁ − xᵢ)."""
    y = y.movedim(dim, -1)
    width = dx if x is None else torch.diff(x if x.ndim == 1 else x.movedim(dim, -1))
    return (y[..., 1:] + y[..., :-1]) * 0.5 * width


@composite("trapezoid", "trapz")
def trapezoid(y: Any, x: Any = None, *, dx: float = 1.0, dim: int = -1) -> Any:
    return _trapezoids(y, x, dx, dim).sum(-1)


@composite("cumulative_trapezoid")
def cumulative_trapezoid(y: Any, x: Any = None, *, dx: float = 1.0, dim: int = -1) -> Any:
    return torch.cumsum(_trapezoids(y, x, dx, dim), -1).movedim(-1, dim)


@rule("nansum", "nanmean", kind=Kind.LINEAR, entries=Entries.ALONG)
def without_nan(jet: Jet, func: Any, x: Jet, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Sum or mean of the entries that are not NaN."""
    mask = ~torch.isnan(x.value)
    total = torch.where(mask, x, 0.0).sum(dim, keepdim, dtype=dtype)
    dims = list(range(x.ndim)) if dim is None else dim
    return total if "sum" in func.__name__ else total / mask.sum(dims, keepdim)


# -------------------------------------------------------------------------------------------------------------- products


@composite("prod")
def prod(x: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Products of halves, so that no division is needed where a factor is 0."""
    x = x if dtype is None else x.to(dtype)
    if dim is None:
        x, dim = x.flatten(), 0
    x = x.movedim(dim, 0) if x.ndim else x.reshape(1)
    x = x.clone() if len(x) == 1 else x
    while x.shape[0] > 1:
        half = x.shape[0] // 2
        pairs = x[:half] * x[half : 2 * half]
        x = torch.cat([pairs, x[2 * half :]])
    out = x[0] if x.shape[0] else x.sum(0) + 1
    return out.unsqueeze(dim) if keepdim and out.ndim + 1 > 0 else out


def scan(function: Any) -> Any:
    """Partial results along an axis, by doubling: after step k each entry combines 2ᵏ neighbours."""

    def scanned(x: Any, dim: int, *, dtype: Any = None) -> Any:
        x = x if dtype is None else x.to(dtype)
        if not x.ndim or x.shape[dim] == 1:
            return x.clone()
        x = x.movedim(dim, 0)
        shift = 1
        while shift < x.shape[0]:
            x = torch.cat([x[:shift], function(x[shift:], x[:-shift])])
            shift *= 2
        return x.movedim(0, dim)

    return scanned


composite("cumprod")(scan(torch.mul))

# ------------------------------------------------------------------------------------------------- exponentials and logs


def largest(x: Any, dim: Any) -> Tensor:
    """The largest real part along axes as a constant."""
    at = _real(plain(x).detach())
    return at.amax(dim, keepdim=True) if at.numel() and at.ndim else at.sum(dim, keepdim=True) if at.ndim else at


def _real(x: Tensor) -> Tensor:
    return x.real if x.is_complex() else x


def _finite(x: Tensor) -> Tensor:
    """A shift that changes no value: 0 where it is infinite."""
    return torch.where(x.abs() == math.inf, 0.0, x)


def _log_of_sum(total: Any, top: Tensor) -> Any:
    """The logarithm of a sum of exponentials: where even the largest exponent is −∞, all stay so wherever they move."""
    empty = top == -math.inf
    return torch.where(empty, -math.inf, torch.log(torch.where(empty, 1.0, total)) + _finite(top))


@composite("logsumexp", torch.special.logsumexp)
def logsumexp(x: Any, dim: Any, keepdim: bool = False) -> Any:
    top = largest(x, dim)
    total = _log_of_sum(torch.exp(x - _finite(top)).sum(dim, keepdim=True), top)
    return total if keepdim or not x.ndim else total.sum(dim)


@composite("logaddexp")
def logaddexp(x: Any, y: Any) -> Any:
    at_x, at_y = plain(x).detach(), plain(y).detach()
    top = torch.maximum(_real(at_x), _real(at_y))
    total = _log_of_sum(torch.exp(x - _finite(top)) + torch.exp(y - _finite(top)), top)
    return _same_branch(total, torch.logaddexp(at_x, at_y))


def _same_branch(total: Any, at: Tensor) -> Any:
    """Complex logarithms of sums are what torch takes up to a multiple of 2πi, which depends on the order of the sums."""
    return total + torch.where(at.isfinite(), at - plain(total).detach(), 0.0) if at.is_complex() else total


@composite("logaddexp2")
def logaddexp2(x: Any, y: Any) -> Any:
    return logaddexp(x * math.log(2), y * math.log(2)) / math.log(2)


@composite("logcumsumexp")
def logcumsumexp(x: Any, dim: int) -> Any:
    return _same_branch(scan(logaddexp)(x, dim), torch.logcumsumexp(plain(x).detach(), dim))


@composite("softmax", torch.special.softmax)
def softmax(x: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None, **options: Any) -> Any:
    x = x if dtype is None else x.to(dtype)
    dim = _implicit(x) if dim is None else dim
    e = torch.exp(x - _finite(largest(x, dim)))
    return e / e.sum(dim, keepdim=True) if x.ndim else e / e


@composite("_safe_softmax")
def safe_softmax(x: Any, dim: int, dtype: Any = None) -> Any:
    """0 along an axis where every entry is −∞."""
    empty = torch.isneginf(plain(x)).all(dim, keepdim=True)
    return torch.where(empty, 0.0, softmax(torch.where(empty, 0.0, x), dim, dtype=dtype))


@composite("log_softmax", torch.special.log_softmax)
def log_softmax(x: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None, **options: Any) -> Any:
    x = x if dtype is None else x.to(dtype)
    dim = _implicit(x) if dim is None else dim
    x = x - _finite(largest(x, dim))
    return x - torch.logsumexp(x, dim, keepdim=True)


@composite(F.softmin)
def softmin(x: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    return softmax(-x, dim, dtype=dtype)


def _implicit(x: Any) -> int:
    return 0 if x.ndim in (0, 1, 3) else 1


# -------------------------------------------------------------------------------------------------------------- moments


def _count(x: Any, dim: Any) -> int:
    dims = range(x.ndim) if dim is None or dim == () else (dim,) if isinstance(dim, int) else dim
    return math.prod(x.shape[d] for d in dims)


@composite("var")
def var(
    x: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = None
) -> Any:
    """Σ |x − mean x|² / (n − correction)."""
    centred, dims, freedom = _centred(x, dim, unbiased, correction)
    squares = (centred * centred.conj()).real if x.is_complex() else centred * centred
    return squares.sum(dims, keepdim) / freedom


@composite("std")
def std(
    x: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = None
) -> Any:
    """‖x − mean x‖ / √(n − correction)."""
    centred, dims, freedom = _centred(x, dim, unbiased, correction)
    return torch.linalg.vector_norm(centred, 2, dims, keepdim) / freedom**0.5


def _centred(x: Any, dim: Any, unbiased: bool | None, correction: float | None) -> tuple[Any, Any, float]:
    """x − mean x, the axes of the mean, and n − correction."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    correction = correction if correction is not None else 1 if unbiased is None else int(unbiased)
    dims = list(range(x.ndim)) if dim is None or dim == () else dim
    return x - x.mean(dims, keepdim=True), dims, max(_count(x, dims) - correction, 0)


@composite("var_mean")
def var_mean(x: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, **named: Any) -> Any:
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    return var(x, dim, unbiased, keepdim, **named), x.mean(dim, keepdim)


@composite("std_mean")
def std_mean(x: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, **named: Any) -> Any:
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    return std(x, dim, unbiased, keepdim, **named), x.mean(dim, keepdim)


@composite("cov")
def cov(x: Any, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Any:
    """Σ w (x − mean)(x − mean)ᵀ / (Σ w − correction): rows are variables."""
    x = x.reshape(1, -1) if x.ndim < 2 else x
    weights = [w for w in (fweights, aweights) if w is not None]
    w = math.prod(weights[1:], start=weights[0]) if weights else torch.ones(x.shape[1], dtype=x.dtype, device=x.device)
    total = w.sum()
    norm = total - correction if aweights is None else total - correction * (w * aweights).sum() / total
    centred = x - (x * w).sum(1, keepdim=True) / total
    return ((centred * w) @ (centred.conj() if x.is_complex() else centred).mT / norm).squeeze()


@composite("corrcoef")
def corrcoef(x: Any) -> Any:
    c = cov(x)
    if not c.ndim:
        return c / c
    size = torch.sqrt(c.diagonal())
    return c / size[:, None] / size


# ---------------------------------------------------------------------------------------------------------------- norms


def p_norm(x: Any, p: float, dim: Any, keepdim: bool = False) -> Any:
    """(Σ |x|ᵖ)^(1/p), the largest or smallest |x|, or the number of entries that are not 0.

    For even p a root of a polynomial, which has all derivatives where single entries are 0; else |x| has derivative 0 there.
    """
    if p > 0 and p % 2 == 0:
        squares = (x * x.conj()).real if x.is_complex() else x * x
        return torch.sqrt(squares.sum(dim, keepdim)) if p == 2 else (squares ** (p / 2)).sum(dim, keepdim) ** (1 / p)
    zero = plain(x) == 0
    size = torch.where(zero, 0.0, torch.abs(torch.where(zero, 1.0, x))) if x.is_complex() else torch.abs(x)
    if p == math.inf:
        return torch.amax(size, dim, keepdim)
    if p == -math.inf:
        return torch.amin(size, dim, keepdim)
    if p == 0:
        return (size != 0).to(size.dtype).sum(dim, keepdim)
    return size.sum(dim, keepdim) if p == 1 else (size**p).sum(dim, keepdim) ** (1 / p)


def norm_or_zero(x: Any, p: float, dim: Any, keepdim: bool = False) -> Any:
    """‖x‖ₚ over axes. Where all of x is 0, and the norm has a kink, its derivatives are 0, as PyTorch's first one is."""
    zero = (plain(x) == 0).all(dim, keepdim=True)
    if values_decide() and not anywhere(zero):
        return p_norm(x, p, dim, keepdim)
    size = p_norm(torch.where(zero, 1.0, x), p, dim, keepdim)
    return torch.where(zero.reshape(size.shape), 0.0, size)


@composite(torch.linalg.vector_norm)
def vector_norm(x: Any, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    x = x if dtype is None else x.to(dtype)
    return norm_or_zero(x, ord, list(range(x.ndim)) if dim is None or dim == () else dim, keepdim)


@composite("norm")
def norm(x: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
    if p == "nuc":
        return torch.linalg.matrix_norm(x, "nuc", (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    return vector_norm(x, 2 if p in ("fro", None) else p, dim, keepdim, dtype=dtype)


@composite(torch.linalg.norm)
def linalg_norm(x: Any, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    matrix = ord is not None and ((isinstance(dim, (tuple, list)) and len(dim) == 2) or (dim is None and x.ndim == 2))
    if matrix or isinstance(ord, str):
        return torch.linalg.matrix_norm(x, ord, (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    return vector_norm(x, 2 if ord is None else ord, dim, keepdim, dtype=dtype)


@composite("renorm")
def renorm(x: Any, p: float, dim: int, maxnorm: float) -> Any:
    """Slices along ``dim`` scaled down to a norm of at most ``maxnorm``."""
    others = [d for d in range(x.ndim) if d != dim % x.ndim]
    size = norm_or_zero(x, p, others, True)
    return torch.where(size > maxnorm, x * (maxnorm / (size + 1e-7)), x)
