"""Reverse mode through lifted functions, as autograd functions that keep their inputs and nothing else.

The cotangent of φ(g) is multiplied by the lifted φ′(g) in the dual space: ḡⱼ = Σ cₖᵢⱼ φ′(g)ᵢ w̄ₖ. The backward passes are
themselves written in differentiable operations, so that they can be differentiated again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.autograd.function import FunctionCtx

from apolar.algebra import Algebra
from apolar.jet import Jet
from apolar.kernels import eager
from apolar.series import dense, times

Taylor = Callable[..., Sequence[Any]]
"""(x, order, φ(x) or None) ↦ φ(x), φ′(x), φ″(x)/2!, …, up to the order."""


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
    """φ(g) for the components of g, stacked."""

    @staticmethod
    def forward(ctx: Any, components: Tensor, algebra: Algebra, taylor: Taylor) -> Tensor:
        coefficients = taylor(components[0], algebra.order)
        composed = eager.compose(algebra, coefficients, components)
        value = dense(coefficients[0])  # not a part of the result, which may be written to
        ctx.save_for_backward(components, value if isinstance(value, Tensor) else None)
        ctx.algebra, ctx.taylor = algebra, taylor
        return composed

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor, None, None]:
        components, value = ctx.saved_tensors
        algebra = ctx.algebra
        recorded = torch.is_grad_enabled()  # then the value has to depend on the components
        with torch._C._EnableTorchFunction():  # series need it, and gradients of a subclass of Tensor switch it off
            taylor = ctx.taylor(components[0], algebra.order + 1, None if recorded else value)
        slope = eager.composed(algebra, [times(e, c) for e, c in enumerate(taylor)][1:], components)
        return eager.dual_product(algebra, slope, cotangent), None, None


class Affine(torch.autograd.Function):
    """x Wᵀ + b for stacked components: one matrix product, the bias on the value only."""

    @staticmethod
    def forward(ctx: FunctionCtx, components: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(components, weight)
        y = torch.nn.functional.linear(components, weight)
        if bias is not None:
            y[0] += bias
        return y

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        components, weight = ctx.saved_tensors
        rows = cotangent.flatten(0, -2)
        to_components, to_weight, to_bias = ctx.needs_input_grad
        return (
            _outer(cotangent, weight.conj()) if to_components else None,
            _product(rows, components.flatten(0, -2).conj()) if to_weight else None,
            cotangent[:1].flatten(0, -2).sum(0) if to_bias else None,
        )


def _product(a: Tensor, b: Tensor) -> Tensor:
    """aᵀ·b, with the thinner factor on the left, which is several times faster."""
    return (b.mT @ a).mT if b.shape[-1] <= a.shape[-1] else a.mT @ b


def _outer(rows: Tensor, weight: Tensor) -> Tensor:
    """rows·W, which for a single output is faster entry by entry."""
    return rows * weight if len(weight) == 1 else rows @ weight
