import torch
from torch import nn

net = nn.Sequential(nn.Linear(2, 12), nn.Tanh(), nn.Linear(12, 1))
X_f = torch.rand(10, 2, requires_grad=True)


def pde(X):
    u = net(X)
    x, t = X[:, 0:1], X[:, 1:2]  # <- here
    u_t = torch.autograd.grad(u, t, grad_outputs=torch.ones_like(u), create_graph=True)[0]
    return u_t


try:
    pde(X_f)
except RuntimeError as e:
    print(e)
