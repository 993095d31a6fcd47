import math

import torch
from torch import nn


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(0.7))

    def forward(self, x):
        s = math.pow(self.a, 2)  # <- here
        return s * x


m = Layer()
opt = torch.optim.SGD(m.parameters(), lr=0.1)
lin = nn.Linear(1, 1)
(lin(m(torch.rand(3, 1)))).mean().backward()
opt.step()
