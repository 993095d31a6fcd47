import torch
from torch import nn

net = nn.Sequential(nn.Linear(1, 8), nn.LayerNorm(8), nn.Tanh(), nn.Linear(8, 1)).double()


def D(y, x):
    return torch.autograd.grad(y, x, torch.ones_like(y), create_graph=True)[0]


x = torch.rand(5, 1, dtype=torch.float64, requires_grad=True)
u = net(x)  # <- here
u_xxx = D(D(D(u, x), x), x)
