import torch
from torch import nn


class Scale(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(n))
        self.gain.mul_(0.5)  # <- here

    def forward(self, x):
        return self.gain * x


Scale(3)(torch.randn(2, 3))
