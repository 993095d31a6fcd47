"""Reverse mode through chains, as one autograd function that keeps the inputs of the links and nothing else.

The cotangent of φ(g) is multiplied by the lifted φ′(g) in the dual space: ḡⱼ = Σ cₖᵢⱼ φ′(g)ᵢ w̄ₖ. Where the backward pass is
itself recorded, it is written in differentiable operations.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from apolar.engine.context import capturing, only_reverse_mode
from apolar.engine.jet import Jet
from apolar.engine.torch_private import saved_as_they_are, with_overrides
from apolar.kernels import compiled, operations
from apolar.kernels.chain import affine, flat
from apolar.kernels.composition import Composition
from apolar.kernels.links import Affine, Chain, chain


def applies(*tensors: Any) -> bool:
    """Whether plain reverse mode watches: elsewhere (forward mode, torch.func, jets of jets) the eager path is taken."""
    return (
        torch.is_grad_enabled()
        and only_reverse_mode()
        and not any(isinstance(t, Jet) for t in tensors)
        and any(isinstance(t, Tensor) and t.requires_grad for t in tensors)
    )


def run(links: Chain, *tensors: Tensor) -> Tensor:
    """The components of the result, recorded by reverse mode where it watches."""
    if applies(*tensors):
        found: Tensor = Chained.apply(links, *tensors)
        return found
    first, *others = links.links
    if not others and isinstance(first, Composition) and not capturing.get():
        return compiled.compose(first, *tensors)  # of any shape, with nothing around it: small problems are many
    return operations.run(links, tensors, False)[0]


class Chained(torch.autograd.Function):
    """A chain."""

    @staticmethod
    def forward(ctx: Any, links: Chain, *tensors: Tensor) -> Tensor:
        # A hook may be that of torch.utils.checkpoint, which expects the same when it runs a function again: then nothing is
        # saved that depends on whether a program is ready.
        keep = saved_as_they_are()
        result, *kept = operations.run(links, tensors, keep)
        ctx.links, ctx.count, ctx.keep = links, len(tensors), keep
        ctx.save_for_backward(*tensors, *kept)
        return result

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors
        tensors, kept = saved[: ctx.count], saved[ctx.count :]
        with with_overrides():  # series need it, and gradients of a subclass of Tensor switch it off
            if torch.is_grad_enabled():
                kept = _recorded(ctx.links, tensors)
            elif not ctx.keep:
                kept = operations.run(ctx.links, tensors, True)[1:]
            return None, *operations.pull_back(ctx.links, ctx.needs_input_grad[1:], tensors, kept, cotangent)


def _recorded(links: Chain, tensors: tuple[Tensor, ...]) -> list[Tensor]:
    """What a chain keeps, as functions of the tensors."""
    inputs, kept = list(tensors[: links.operands]), []
    for link, places in zip(links.links[:-1], links.parameters, strict=False):
        parameters = [tensors[k] for k in places]
        if isinstance(link, Affine) and link.apart:
            inputs = affine(link, inputs, *parameters)
        else:
            inputs = [run(chain(link), *inputs, *parameters)]
        kept.append(flat(inputs[0]))
    return kept
