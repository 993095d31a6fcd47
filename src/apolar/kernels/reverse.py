"""Reverse mode through lifted functions, as autograd functions that keep their inputs and nothing else.

The cotangent of φ(g) is multiplied by the lifted φ′(g) in the dual space: ḡⱼ = Σ cₖᵢⱼ φ′(g)ᵢ w̄ₖ. The backward passes are
themselves written in differentiable operations, so that they can be differentiated again.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import forward_ad

from apolar.jet import Jet
from apolar.kernels import compiled, eager, memory, operations
from apolar.kernels.composition import Composition


def applies(*tensors: Any) -> bool:
    """Whether plain reverse mode watches: elsewhere (forward mode, torch.func, jets of jets) the eager path is taken."""
    return (
        torch.is_grad_enabled()
        and not torch._C._are_functorch_transforms_active()
        and forward_ad._current_level < 0
        and not any(isinstance(t, Jet) for t in tensors)
        and any(isinstance(t, Tensor) and t.requires_grad for t in tensors)
    )


class Compose(torch.autograd.Function):
    """φ(g) for the operands of g."""

    @staticmethod
    def forward(ctx: Any, composition: Composition, *operands: Tensor) -> Tensor:
        ctx.save_for_backward(*operands)
        ctx.composition = composition
        return operations.compose(composition, *operands)

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, ...]:
        operands = (*ctx.saved_tensors, cotangent)
        with torch._C._EnableTorchFunction():  # series need it, and gradients of a subclass of Tensor switch it off
            if torch.is_grad_enabled():
                return None, *ctx.composition.pull_back(*operands)
            return None, *operations.pull_back(ctx.composition, *operands)


def composed(composition: Composition, *operands: Tensor) -> Tensor:
    """φ(g), recorded by reverse mode where it watches."""
    return Compose.apply(composition, *operands) if applies(*operands) else operations.compose(composition, *operands)


class Affine(torch.autograd.Function):
    """x Wᵀ + b for stacked components: one matrix product, the bias on the first only, and there if it is the value."""

    @staticmethod
    def forward(ctx: Any, components: Tensor, weight: Tensor, bias: Tensor | None, biased: bool) -> Tensor:
        ctx.save_for_backward(components, weight)
        ctx.biased = biased
        y = rows_times(components, weight.mT)
        return _biased(y, bias) if bias is not None and biased else y

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        components, weight = ctx.saved_tensors
        rows = cotangent.flatten(0, -2)
        to_components, to_weight, to_bias, _ = ctx.needs_input_grad
        to_value = cotangent[:1] if ctx.biased else cotangent[:0]
        return (
            _outer(cotangent, weight.conj()) if to_components else None,
            _product(rows, components.flatten(0, -2).conj()) if to_weight else None,
            to_value.flatten(0, -2).sum(0) if to_bias else None,
            None,
        )


def affine(components: Tensor, weight: Tensor, bias: Tensor | None, biased: bool = True) -> Tensor:
    """x Wᵀ + b, recorded by reverse mode where it watches."""
    if applies(components, weight, bias):
        return Affine.apply(components, weight, bias, biased)
    if bias is None or not biased:
        return F.linear(components, weight)
    if eager.in_place(components, weight, bias):
        return _biased(F.linear(components, weight), bias)
    return torch.cat([F.linear(components[:1], weight, bias), F.linear(components[1:], weight)])


def _biased(components: Tensor, bias: Tensor) -> Tensor:
    components[0] += bias
    return components


def _product(a: Tensor, b: Tensor) -> Tensor:
    """aᵀ·b, with the thinner factor on the left, which is several times faster."""
    return (b.mT @ a).mT if b.shape[-1] <= a.shape[-1] else a.mT @ b


def _outer(rows: Tensor, weight: Tensor) -> Tensor:
    """rows·W, which for a single output is faster entry by entry."""
    return rows * weight if len(weight) == 1 else rows_times(rows, weight)


def rows_times(x: Tensor, matrix: Tensor) -> Tensor:
    """x·M for a tensor of rows."""
    large = x.numel() * x.element_size() >= memory.SMALLEST
    if not large or torch.is_grad_enabled() or not (compiled.fit(x, matrix) and x.dtype == matrix.dtype):
        return x @ matrix
    y = memory.empty((*x.shape[:-1], matrix.shape[1]), x)
    torch.mm(x.flatten(0, -2), matrix, out=y.view(-1, matrix.shape[1]))
    return y
