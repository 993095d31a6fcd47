import torch
from torch import nn


class Poly(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Parameter(torch.tensor([1, 2, 3]))  # <- here

    def forward(self, x):
        return self.c[0] + self.c[1] * x


Poly()(torch.ones(2))
