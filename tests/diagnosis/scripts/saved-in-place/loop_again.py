import torch
from torch import nn


class Integrator(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Linear(2, 2)

    def forward(self, y, n, h):
        for _ in range(n):
            dy = torch.tanh(self.f(y))
            y += h * dy  # <- here
        return y


m = Integrator()
out = m(torch.randn(3, 2), 3, 0.1)
out.sum().backward()
