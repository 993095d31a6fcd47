"""All partial derivatives of one order."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations_with_replacement, permutations
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from apolar.evaluate import push
from apolar.transforms.inputs import Function, check_order, packed, numbered


def derivative_tensor(f: Function, order: int, argnums: int = 0, chunk_size: int | None = None) -> Function:
    """All partial derivatives of one order, as a symmetric tensor.

    Args:
        f: returns a tensor ``(*out)``.
        order: 1, 2, 3, …
        chunk_size: how many partial derivatives to compute at a time; all by default.

    Returns:
        A function to the tensor ``(*out, *in, …, *in)`` with ``order`` times the axes of the input.

    >>> ap.derivative_tensor(lambda x: x.prod(), 3)(torch.ones(3)).sum()
    tensor(6.)
    """
    check_order(order)

    def tensors(*args: Any, **kwargs: Any) -> Any:
        g, z, _ = packed(f, args, argnums, kwargs)
        shape = torch.as_tensor(args[argnums]).shape
        symbols = list(numbered(max(z.numel(), 1)))
        index = list(combinations_with_replacement(range(z.numel()), order))
        size = chunk_size or max(len(index), 1)
        parts = []
        for start in range(0, len(index), size):
            operators = [math.prod((symbols[i] for i in chosen), start=symbols[0].coordinates.one) for chosen in index[start : start + size]]
            parts += push(g, (z,), (list(torch.eye(z.numel(), dtype=z.dtype, device=z.device)),), operators)
        place = {p: k for k, chosen in enumerate(index) for p in permutations(chosen)}
        n = z.numel()
        gather = torch.tensor([place[p] for p in _all_indices(n, order)], dtype=torch.long, device=z.device)
        return tree_map(
            lambda *columns: torch.stack(columns, -1)[..., gather].reshape(*columns[0].shape, *(tuple(shape) * order)), *parts
        )

    return tensors


def _all_indices(n: int, order: int) -> Iterator[tuple[int, ...]]:
    """All index tuples, the last index running fastest."""
    if order == 0:
        yield ()
        return
    for head in _all_indices(n, order - 1):
        for i in range(n):
            yield (*head, i)
