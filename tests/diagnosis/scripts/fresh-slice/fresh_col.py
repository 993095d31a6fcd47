import torch
from torch import nn

net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))


def pde(xt):
    u = net(xt)
    x, t = xt[:, [0]], xt[:, [1]]  # <- here
    ut = torch.autograd.grad(u.sum(), t, create_graph=True)[0]
    return ut


pde(torch.rand(3, 2, requires_grad=True))
