import torch
from torch import nn


def block(i, o):
    return nn.Sequential(nn.Linear(i, o), nn.BatchNorm1d(o), nn.Tanh())


class Flow(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([block(2, 6), nn.Linear(6, 1)])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)  # <- here
        return x


X = torch.rand(7, 2, requires_grad=True)
(g,) = torch.autograd.grad(Flow()(X).sum(), X)
