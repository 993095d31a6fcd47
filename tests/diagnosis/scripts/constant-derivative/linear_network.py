import torch
from torch import nn

net = nn.Linear(1, 1)
x = torch.rand(5, 1, requires_grad=True)


def nth(y, x, n):
    for _ in range(n):
        y = torch.autograd.grad(y, x, torch.ones_like(y), create_graph=True)[0]  # <- here
    return y


nth(net(x), x, 2)
