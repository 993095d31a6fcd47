"""What does ``ap.watch`` cost? Steps of training with Adam, with and without it, by the width of the network."""

from __future__ import annotations

import contextlib
import time

import torch
from torch import nn

import apolar as ap

WIDTHS = {16: 60, 256: 30, 1024: 6}
"""The number of steps for each width."""

ROUNDS = 5


def seconds(width: int, steps: int) -> float:
    """The time of one step: two hidden layers, 256 points of 32 coordinates."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(32, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1))
    optimizer = torch.optim.Adam(net.parameters())
    points = torch.randn(256, 32)
    start = time.perf_counter()
    for _ in range(steps):
        optimizer.zero_grad()
        loss = net(points).square().mean()
        loss.backward()
        optimizer.step()
        loss.item()
    return (time.perf_counter() - start) / steps


def main() -> None:
    torch.set_num_threads(1)
    print("width     plain   watched  ratio")
    for width, steps in WIDTHS.items():
        best = {watched: float("inf") for watched in (False, True)}
        for _ in range(ROUNDS):
            for watched in best:
                with ap.watch() if watched else contextlib.nullcontext():
                    best[watched] = min(best[watched], seconds(width, steps))
        print(f"{width:5} {1e3 * best[False]:6.2f} ms {1e3 * best[True]:6.2f} ms {best[True] / best[False]:6.2f}")


if __name__ == "__main__":
    main()
