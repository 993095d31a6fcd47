import torch
import torch.nn.functional as F
from torch import nn

import apolar as ap

dx, dy = ap.coordinates("x y")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(2, 8), nn.Linear(8, 1)

    def forward(self, p):
        h = F.leaky_relu(self.first(p), 0.1)  # <- here
        return self.last(h)


u, lap = ap.evaluate(Net(), torch.rand(20, 2), 1, dx**2 + dy**2)
(lap + u).pow(2).mean().backward()
