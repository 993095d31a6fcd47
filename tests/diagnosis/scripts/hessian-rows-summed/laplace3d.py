import torch
from torch import nn

net = nn.Sequential(nn.Linear(3, 10), nn.Tanh(), nn.Linear(10, 1))


def laplacian(X):
    u = net(X)
    g = torch.autograd.grad(u, X, torch.ones_like(u), create_graph=True)[0]
    gg = torch.autograd.grad(g, X, torch.ones_like(g), create_graph=True)[0]  # <- here
    return gg.sum(1)


X = torch.rand(5, 3, requires_grad=True)
print(laplacian(X).shape)
