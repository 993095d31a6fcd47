"""What it means that a transform is right: nested alike, of equal shapes, of the dtype of the input, equal in value."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten

DTYPES = (torch.float64, torch.float32)
TOLERANCE = {torch.float64: 1e-10, torch.float32: 2e-5}
"""Relative to the largest entry of the expected tensor, at least 1."""


def agree(found: Any, expected: Any, dtype: torch.dtype = torch.float64) -> None:
    """Fails unless two nests of tensors are the same; the expected ones are double precision."""
    (a_leaves, a_nest), (b_leaves, b_nest) = tree_flatten(found), tree_flatten(expected)
    assert a_nest == b_nest
    for a, b in zip(a_leaves, b_leaves, strict=True):
        same(a, b, dtype)


def same(a: Tensor, b: Tensor, dtype: torch.dtype) -> None:
    assert a.shape == b.shape
    assert a.dtype == dtype
    scale = max(1.0, float(b.abs().max())) if b.numel() else 1.0
    assert torch.allclose(a.to(b.dtype), b, rtol=0, atol=TOLERANCE[dtype] * scale), (a, b)
