import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))


def gradient(y, x):
    return torch.autograd.grad(y.sum(), x, create_graph=True)[0]  # <- here


X = torch.rand(7, 2, requires_grad=True)
first = gradient(net(X), X)
second = gradient(first, X)
(second[:, 0] + second[:, 1]).pow(2).mean().backward()
