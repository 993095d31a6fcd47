"""What the rules of linear algebra share: rests of products, triangles, unit matrices, and values as constants.

Every rule of linear algebra differentiates the equation that defines the result. In component k of A·X = B the unknown Xₖ
stands with the value A₀ alone, A₀Xₖ + Σ c AᵢXⱼ = Bₖ with i ≥ 1: what is known of component k is the rest of a product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from apolar.engine.jet import Jet, anywhere, plain


def at(x: Any) -> Tensor:
    """The value of a jet of jets as a constant."""
    return plain(x).detach()


def everything(x: Any) -> Tensor:
    """All numbers of a jet of jets as a constant, with axes for the components in front."""
    return everything(x.components) if isinstance(x, Jet) else x.detach()


def depth(x: Any) -> int:
    """How many derivatives are taken of a value, jets of jets counted together."""
    return x.algebra.order + depth(x.components) if isinstance(x, Jet) else 0


def rest(jet: Jet, k: int, multiply: Callable[[Any, Any], Tensor], g: Sequence[Tensor], h: Sequence[Tensor]) -> Any:
    """Σ c·multiply(gᵢ, hⱼ) over i, j ≥ 1: component k of a product without g₀hₖ and gₖh₀."""
    return sum((multiply(g[i], h[j]) * c for i, j, c in jet.algebra.nilpotent[k]), 0.0)


# ------------------------------------------------------------------------------------------- triangles and unit matrices


def identity(A: Any) -> Tensor:
    """The unit matrix of the size of ``A``."""
    return torch.eye(A.shape[-1], dtype=A.dtype, device=A.device)


def half(x: Tensor) -> Tensor:
    """Φ(X): the lower triangle with half the diagonal, so that Φ(X) + Φ(X)ᴴ = X for Hermitian X."""
    mask = torch.ones(x.shape[-2:], dtype=x.dtype, device=x.device).tril()
    return x * (mask - mask.triu() / 2)


def hermitian(A: Tensor, upper: bool = False) -> Tensor:
    """The Hermitian matrix of which the factorisations read one triangle."""
    lower = half(A.mH if upper else A)
    return lower + lower.mH


def mirrored(A: Jet, upper: bool = False) -> Jet:
    """The jet of the Hermitian matrix, component by component."""
    return A.like(hermitian(A.components, upper))


def tiny(x: Tensor) -> float:
    """The relative size of a rounding error in a matrix like ``x``."""
    return max(x.shape[-2:]) * torch.finfo(x.dtype).eps


def vanishes(T: Tensor, n: int, tolerance: float) -> bool:
    """Whether one of the first ``n`` entries on the diagonal of a triangle is 0 up to rounding."""
    size = at(T).diagonal(dim1=-2, dim2=-1).abs()
    return n > 0 and anywhere(size[..., :n].amin(-1) <= tolerance * size.amax(-1))
