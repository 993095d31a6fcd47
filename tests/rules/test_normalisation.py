"""What normalisations remember: running statistics move exactly as on plain tensors."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from apolar.errors import UnsupportedOperator
from tests.oracles.jets import jet_derivatives

from .case import seeded

LAYERS = [
    (seeded(nn.BatchNorm1d, 3), (5, 3)),
    (seeded(nn.BatchNorm1d, 3, momentum=None), (4, 3, 2)),
    (seeded(nn.BatchNorm2d, 3, momentum=0.3), (2, 3, 2, 2)),
    (seeded(nn.InstanceNorm1d, 3, track_running_stats=True), (4, 3, 5)),
    (seeded(nn.InstanceNorm2d, 3, affine=True, track_running_stats=True, momentum=0.4), (2, 3, 2, 2)),
]


@pytest.mark.parametrize("layer, shape", LAYERS, ids=lambda part: str(part))
def test_running_statistics(layer: nn.Module, shape: tuple[int, ...]) -> None:
    layer = copy.deepcopy(layer).train()
    by_torch = copy.deepcopy(layer)
    for seed in range(3):
        x = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        jet_derivatives(layer, [x], [torch.ones_like(x)], [None], [(2, 0)])
        by_torch(x)
    for (name, found), expected in zip(layer.named_buffers(), by_torch.buffers()):
        assert torch.allclose(found, expected, rtol=1e-14, atol=1e-14), name
        assert not found.requires_grad


def test_moving_running_statistics_are_refused() -> None:
    def f(x: Tensor) -> Tensor:
        return torch.nn.functional.batch_norm(x, x.mean(0), None, training=True)

    x = torch.randn(5, 3, dtype=torch.float64)
    with pytest.raises(UnsupportedOperator, match="training=False"):
        jet_derivatives(f, [x], [x], [None], [(1, 0)])
