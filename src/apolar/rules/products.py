"""Sums, products and quotients: what is linear or bilinear, and arithmetic said in these words."""

from __future__ import annotations

import math
import string
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from apolar.engine.context import values_decide
from apolar.engine.jet import RULES, Jet, anywhere, belongs, component_list, plain, unsupported, value
from apolar.kernels import eager, sources
from apolar.rules.components import apply_bilinear, stack
from apolar.rules.elementwise import number_power
from apolar.rules.kinks import even_power, product_of_roots, scaled
from apolar.rules.quotients import with_digits
from apolar.rules.record import Entries, Kind
from apolar.rules.registry import bilinear, composite, rule

# ------------------------------------------------------------------------------------------------------- arithmetic


def align(x: Jet, ndim: int) -> Tensor:
    """The components of ``x`` with axes of length 1 so that they broadcast against ``ndim`` axes from the right."""
    missing = ndim - x.ndim
    if missing <= 0:
        return x.components
    return x.components.reshape(x.components.shape[:1] + (1,) * missing + x.components.shape[1:])


def against(x: Jet, y: Any) -> Tensor:
    """The components of ``x`` ready to meet the constant ``y``: aligned, and in the dtype that torch gives the result."""
    components = align(x, y.ndim) if isinstance(y, Tensor) else x.components
    dtype = torch.result_type(x.value if isinstance(y, Tensor) else components, y)
    return components if components.dtype == dtype else components.to(dtype)


@rule("add", "__radd__", kind=Kind.LINEAR, linear_in=(0, 1, "other"), entries=Entries.APART)
def add(jet: Jet, func: Any, x: Any, y: Any, *, alpha: float = 1) -> Jet:
    if not belongs(y, jet):
        return _add_constant(x, y, alpha)
    if not belongs(x, jet):
        return _add_constant(y if alpha == 1 else y * alpha, x)
    if bool(x.ndim) == bool(y.ndim):
        return jet.like(torch.add(align(x, y.ndim), align(y, x.ndim), alpha=alpha))
    return stack([torch.add(a, b, alpha=alpha) for a, b in zip(x.components, y.components, strict=True)], jet)


def _add_constant(x: Jet, c: Any, alpha: float = 1) -> Jet:
    """x + αc; torch multiplies in the dtype of the result."""
    components = against(x, c)
    if not isinstance(c, Tensor) and eager.in_place(components):
        result = components.clone()
        result[0].add_(c, alpha=alpha)
        return x.like(result)
    first = torch.add(components[0], c, alpha=alpha)
    return x.like(torch.cat([first.unsqueeze(0), components[1:].expand(-1, *first.shape)]))


@composite("sub", "subtract", "__sub__")
def sub(x: Any, y: Any, *, alpha: float = 1) -> Any:
    return torch.add(x, y, alpha=-alpha)


@composite("rsub", "__rsub__")
def rsub(x: Any, y: Any, *, alpha: float = 1) -> Any:
    if isinstance(y, Tensor):
        return torch.sub(y, x, alpha=alpha)
    return torch.add(torch.neg(x) if alpha == 1 else torch.neg(x) * alpha, y)


@rule("neg", "negative", kind=Kind.LINEAR, entries=Entries.APART)
def neg(jet: Jet, func: Any, x: Jet) -> Jet:
    return jet.like(torch.neg(x.components))


@rule("mul", "multiply", "__rmul__", kind=Kind.BILINEAR, entries=Entries.APART)
def mul(jet: Jet, func: Any, x: Any, y: Any) -> Jet:
    if belongs(x, jet) and belongs(y, jet):
        if x.root is not None and (power := product_of_roots(x, y)) is not None:
            return power
        return jet.like(eager.multiplied(jet.algebra, x.components, x.components if x is y else y.components))
    if not belongs(x, jet):
        x, y = y, x
    result = jet.like(against(x, y) * y)
    return result if x.root is None else scaled(result, x, y)


@rule("div", "divide", "true_divide", "__truediv__", entries=Entries.APART)
def div(jet: Jet, func: Any, x: Any, y: Any, *, rounding_mode: str | None = None) -> Any:
    if rounding_mode is not None:
        return torch.div(value(x, jet), value(y, jet), rounding_mode=rounding_mode)
    if not belongs(y, jet):
        result = jet.like(against(x, y) / y)
        return result if x.root is None else scaled(result, x, 1 / y)
    q = eager.quotient(jet.algebra, component_list(x, jet), y.components)
    return jet.like(with_digits(q, x, y) if belongs(x, jet) else q)


def beside(number: Any, x: Any) -> Any:
    """A number as a tensor of the dtype that torch gives to what it makes of it and ``x``; tensors stay what they are."""
    if isinstance(number, Tensor):
        return number
    return torch.as_tensor(number, dtype=torch.result_type(plain(x), number), device=x.device)


@composite("__rdiv__", "__rtruediv__")
def rdiv(x: Any, y: Any) -> Any:
    return torch.div(beside(y, x), x)


def _remainder(name: str, rounding_mode: str) -> None:
    """x − q·y, where the quotient q is constant on each piece."""

    @composite(name)
    def remainder(x: Any, y: Any) -> Any:
        return x - torch.div(x, y, rounding_mode=rounding_mode) * y


_remainder("remainder", "floor")
_remainder("fmod", "trunc")


@composite("__rmod__")
def rmod(x: Any, y: Any) -> Any:
    return torch.remainder(beside(y, x), x)


def promoted(a: Any, x: Any) -> Any:
    """``a`` in the dtype that torch gives to what it makes of it and ``x``."""
    return a.to(torch.result_type(plain(x), plain(a)))


@composite("addcmul")
def addcmul(x: Any, a: Any, b: Any, *, value: float = 1) -> Any:
    return x + value * (promoted(a, x) * b)


@composite("addcdiv")
def addcdiv(x: Any, a: Any, b: Any, *, value: float = 1) -> Any:
    return x + value * (promoted(a, x) / b)


@composite("lerp")
def lerp(start: Any, end: Any, weight: Any) -> Any:
    return start + weight * (end - start)


# ----------------------------------------------------------------------------------------------------------- powers


@rule("pow", "__pow__", kind=Kind.ELEMENTWISE, entries=Entries.APART)
def pow(jet: Jet, func: Any, x: Any, y: Any) -> Any:
    """xʸ: a recurrence where y is constant, exp(y log x) where it is not."""
    if belongs(y, jet):
        return _exponential(jet, beside(x, y), y)
    if x.root is not None and (power := even_power(x, y)) is not None:
        return power
    if type(y) in (int, float):
        return RULES[number_power](jet, number_power, x, y)
    if isinstance(y, Tensor) and y.dtype == torch.bool:
        y = y.byte()
    if isinstance(y, Tensor) and y.ndim:
        x = x.expand(torch.broadcast_shapes(x.shape, y.shape))
    dtype = torch.result_type(x.value, value(y, jet))
    return RULES[number_power](jet, number_power, x if x.dtype == dtype else x.to(dtype), y)


plain_square = RULES[torch.square]


@rule("square", kind=Kind.ELEMENTWISE, entries=Entries.APART, replacing=True)
def square(jet: Jet, func: Any, x: Jet) -> Any:
    power = even_power(x, 2)
    return plain_square(jet, func, x) if power is None else power


def _exponential(jet: Jet, x: Any, y: Any) -> Any:
    """exp(y log x) where x is not 0, or positive if all is real. Elsewhere as far as x moves: y enters by log x."""
    x, y = promoted(x, y), promoted(y, x)
    at_x, at_y = value(x, jet), value(y, jet)
    regular = at_x != 0 if x.is_complex() else at_x > 0
    power = torch.exp(y * torch.log(torch.where(regular, x, 1.0)))
    if values_decide() and not anywhere(~regular):
        return power
    # 0 to a positive power is 0 for other powers as well. If x moves too, this holds for the slope alone.
    vanishes = (at_x == 0) & ((at_y.real if at_y.is_complex() else at_y) >= 0)
    slope = torch.where(vanishes, 0.0, math.nan)
    curvature = torch.where(moves(y, jet) & ~(vanishes & ~moves(x, jet)), math.nan, 0.0)
    return torch.where(regular, power, torch.pow(torch.where(regular, 1.0, x), at_y) + singular(y, slope, curvature))


def moves(x: Any, jet: Jet) -> Tensor:
    """Where an entry has a derivative that is not 0."""
    return (x.components[1:] != 0).any(0) if belongs(x, jet) else torch.zeros_like(x, dtype=torch.bool)


def singular(x: Jet, slope: Tensor, curvature: Tensor) -> Jet:
    """0 with the first derivatives slope · x′, with 0 for x′ = 0, and multiples of ``curvature`` for the higher ones.

    The part of a result that is known only so far: both are 0 where it adds nothing, and infinite or NaN elsewhere.
    """
    slope, curvature = slope.to(x.dtype), curvature.to(x.dtype)
    parts = []
    for p, c in zip(x.algebra.basis[1:], x.components[1:], strict=True):
        parts.append(c * (torch.where(c == 0, 0.0, slope) if p.order == 1 else curvature))
    return stack([torch.zeros_like(slope), *parts], x)


@composite("__rpow__")
def rpow(x: Any, y: Any) -> Any:
    return torch.pow(y, x)


@composite("float_power")
def float_power(x: Any, y: Any) -> Any:
    """The power in double precision."""
    complex_ = any(a.is_complex() if isinstance(a, Tensor) else isinstance(a, complex) for a in (x, y))
    dtype = torch.complex128 if complex_ else torch.float64
    return torch.pow(*(a.to(dtype) if isinstance(a, Tensor) else a for a in (x, y)))


# ---------------------------------------------------------------------------------------------------- matrix products


@rule("matmul", "__matmul__", torch.linalg.matmul, kind=Kind.BILINEAR)
def matmul(jet: Jet, func: Any, x: Any, y: Any) -> Jet:
    sparse = not x.layout == y.layout == torch.strided
    if (belongs(x, jet) and belongs(y, jet)) or not (x.ndim and y.ndim) or sparse:
        return apply_bilinear(jet, torch.matmul, x, y)
    if belongs(x, jet) and (y.ndim <= 2 or x.ndim > 1):
        return jet.like(torch.matmul(align(x, y.ndim) if x.ndim > 1 else x.components, y))
    if belongs(y, jet) and y.ndim > 1 and x.ndim > 1:
        return jet.like(torch.matmul(x, align(y, x.ndim)))
    return apply_bilinear(jet, torch.matmul, x, y)


@composite("__rmatmul__")
def rmatmul(x: Any, y: Any) -> Any:
    return torch.matmul(y, x)


@rule(F.linear, kind=Kind.BILINEAR)
def linear_layer(jet: Jet, func: Any, x: Any, weight: Any, bias: Any = None) -> Any:
    if belongs(x, jet) and not any(isinstance(p, Jet) for p in (weight, bias)) and sources.fits(x, weight, bias):
        return jet.like(sources.layer(x, weight, bias))
    y = torch.matmul(x, weight.mT if weight.ndim > 1 else weight)
    return y if bias is None else y + bias


bilinear("outer", "ger", "kron", "cross", torch.linalg.cross, "tensordot")

for function in ("mm", "mv", "bmm", "dot", torch.sparse.mm):
    composite(function)(torch.matmul)


@composite("vdot")
def vdot(x: Any, y: Any) -> Any:
    return torch.matmul(x.conj() if x.is_complex() else x, y)


@composite(torch.linalg.vecdot)
def vecdot(x: Any, y: Any, *, dim: int = -1) -> Any:
    return ((x.conj() if x.is_complex() else x) * y).sum(dim)


@composite("inner")
def inner(x: Any, y: Any) -> Any:
    return x * y if not (x.ndim and y.ndim) else torch.tensordot(x, y, dims=([-1], [-1]))


def _added(function: Any) -> Any:
    """β·c + α·function(x, y)."""

    def added(c: Any, x: Any, y: Any, *, beta: float = 1, alpha: float = 1) -> Any:
        product = function(x, y) if alpha == 1 else alpha * function(x, y)
        return product if beta == 0 else c * beta + product

    return added


composite("addmm", "addmv", "baddbmm", torch.sparse.addmm)(_added(torch.matmul))
composite("addr")(_added(torch.outer))
composite("addbmm")(_added(lambda x, y: torch.matmul(x, y).sum(0)))


@composite("chain_matmul", torch.linalg.multi_dot)
def multi_dot(*matrices: Any) -> Any:
    return reduce(torch.matmul, matrices[0] if isinstance(matrices[0], (list, tuple)) else matrices)


@composite(F.bilinear)
def bilinear_layer(x: Any, y: Any, weight: Any, bias: Any = None) -> Any:
    out = torch.einsum("...i,kij,...j->...k", x, weight, y)
    return out if bias is None else out + bias


@rule("einsum", kind=Kind.BILINEAR)
def einsum(jet: Jet, func: Any, equation: Any, *operands: Any) -> Any:
    """One jet carries its components along as one more letter; many operands are contracted two at a time."""
    if not isinstance(equation, str):
        raise unsupported(func, jet, "Write the equation as a string.")
    operands = tuple(operands[0]) if isinstance(operands[0], (list, tuple)) else operands
    inputs, output = _explicit(equation, operands)
    if len(operands) > 2:
        return _pairwise(inputs, output, operands)
    if len(operands) == 1:
        return jet.like(torch.einsum(f"...{inputs[0]}->...{output}", operands[0].components))
    x, y = operands
    left, right = inputs
    if belongs(x, jet) and belongs(y, jet):
        return apply_bilinear(jet, lambda a, b: torch.einsum(f"{left},{right}->{output}", a, b), x, y)
    if belongs(x, jet):
        return jet.like(torch.einsum(f"...{left},{right}->...{output}", x.components, y))
    return jet.like(torch.einsum(f"{left},...{right}->...{output}", x, y.components))


def _pairwise(inputs: list[str], output: str, operands: tuple[Any, ...]) -> Any:
    """From the left, keeping the letters that are needed later."""
    result, letters = operands[0], inputs[0]
    for k in range(1, len(operands)):
        later = set(output).union(*inputs[k + 1 :])
        kept = "".join(dict.fromkeys(c for c in letters + inputs[k] if c in later)) if k < len(operands) - 1 else output
        result = torch.einsum(f"{letters},{inputs[k]}->{kept}", result, operands[k])
        letters = kept
    return result


def _explicit(equation: str, operands: tuple[Any, ...]) -> tuple[list[str], str]:
    """The letters of every operand and of the output, with ``...`` written out and the output never implied."""
    left, arrow, output = equation.replace(" ", "").partition("->")
    inputs = left.split(",")
    free = [c for c in string.ascii_letters if c not in left]
    widths = [o.ndim - len(i.replace("...", "")) if "..." in i else 0 for i, o in zip(inputs, operands, strict=True)]
    batch = "".join(free[: max(widths, default=0)])
    inputs = [i.replace("...", batch[len(batch) - w :]) for i, w in zip(inputs, widths, strict=True)]
    if arrow:
        return inputs, output.replace("...", batch)
    once = sorted(c for c in set(left) - set(",.") if left.count(c) == 1)
    return inputs, batch + "".join(once)
