"""All partial derivatives of one order."""

from __future__ import annotations

import math
from itertools import combinations_with_replacement, permutations, product
from typing import Any

import torch

from apolar.engine.context import Detached
from apolar.engine.torch_private import tree_map
from apolar.evaluation.evaluate import push
from apolar.transforms.inputs import Function, axes_of, check_order, chunk, last_axis, numbered, packed, tensor


def derivative_tensor(
    f: Function, order: int, argnums: int = 0, chunk_size: int | None = None, detached: Detached = "error"
) -> Function:
    """All partial derivatives of one order, as a symmetric tensor.

    Args:
        f: returns a tensor ``(*out)``.
        order: 1, 2, 3, …
        chunk_size: how many partial derivatives to compute at a time; all by default.
        detached: what a value is that leaves the computation, as in :func:`evaluate`.

    Returns:
        A function to the tensor ``(*out, *in, …, *in)`` with ``order`` times the axes of the input.

    >>> ap.derivative_tensor(lambda x: x.prod(), 3)(torch.ones(3)).sum()
    tensor(6.)
    """
    check_order(order)

    def tensors(*args: Any, **kwargs: Any) -> Any:
        g, z, _ = packed(f, args, argnums, kwargs)
        n, shape = z.numel(), tuple(tensor(args[argnums]).shape)
        index = list(combinations_with_replacement(range(n), order))
        symbols = list(numbered(max(n, 1)))
        parts: list[Any] = []
        size = chunk(chunk_size, len(index))
        for start in range(0, len(index), size):
            some = index[start : start + size]
            operators = [math.prod((symbols[i] for i in chosen[1:]), start=symbols[chosen[0]]) for chosen in some]
            parts += push(g, (z,), (list(axes_of(z)),), operators, detached=detached)
        place = {p: k for k, chosen in enumerate(index) for p in permutations(chosen)}
        spread = torch.tensor([place[p] for p in product(range(n), repeat=order)], dtype=torch.long, device=z.device)
        return tree_map(lambda y: y[..., spread].reshape((*y.shape[:-1], *shape * order)), last_axis(g, z, parts))

    return tensors
