"""The floor: the time of what no method with m components can avoid, measured beside the methods.

Every hidden linear layer multiplies m·N rows three times: forward, by its weights backward, and for the gradient of its
weights. Every activation reads and writes the components once forward and once backward. Matrix products are torch.matmul,
the traffic is a copy between buffers; all of them are there before, so that no time goes into getting memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from .problem import Problem


def floor(problem: Problem) -> Callable[[], None]:
    """Does the products and the traffic once."""
    products, activations = shapes(problem)
    like = {"dtype": problem.dtype, "device": problem.device}
    # One buffer of each size: memory that is reused is the fastest there is.
    sizes = {size for rows, a, b in products for size in ((rows, a), (rows, b))} | set(activations)
    left = {size: torch.randn(size, **like) for size in sizes}
    right = {size: torch.randn(size, **like) for size in sizes}
    weights = {(a, b): (torch.randn(a, b, **like), torch.empty(a, b, **like)) for _, a, b in products}

    def run() -> None:
        for rows, a, b in products:
            weight, gradient = weights[a, b]
            torch.matmul(left[rows, a], weight, out=right[rows, b])
            torch.matmul(left[rows, b], weight.mT, out=right[rows, a])
            torch.matmul(left[rows, a].mT, left[rows, b], out=gradient)
        for size in activations:
            right[size].copy_(left[size])
            right[size].copy_(left[size])

    return run


def shapes(problem: Problem) -> tuple[list[tuple[int, int, int]], list[tuple[int, int]]]:
    """(rows, inputs, outputs) of the products of hidden layers, and (rows, width) of the activations."""
    rows = problem.components * problem.N
    products, activations = [], []

    def linear(layer: nn.Linear, inputs: tuple, output: torch.Tensor) -> None:
        products.append((rows * (output.numel() // output.shape[-1]), layer.in_features, layer.out_features))

    def activation(_: nn.Tanh, inputs: tuple, output: torch.Tensor) -> None:
        activations.append((rows * (output.numel() // output.shape[-1]), output.shape[-1]))

    outer = problem.net[0], problem.net[-1]  # they touch the points or the results, which are smaller
    hooks = [
        layer.register_forward_hook(linear if isinstance(layer, nn.Linear) else activation)
        for layer in problem.net.modules()
        if layer not in outer and isinstance(layer, (nn.Linear, nn.Tanh))
    ]
    with torch.no_grad():
        problem.net(problem.X[:1])
    for hook in hooks:
        hook.remove()
    return products, activations
