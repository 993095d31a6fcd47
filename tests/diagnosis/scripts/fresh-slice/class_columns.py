import torch
from torch import nn


class Problem:
    def __init__(self, n):
        self.X = torch.rand(n, 2, requires_grad=True)
        self.x = self.X[:, [0]]  # <- here
        self.t = self.X[:, [1]]
        self.net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))

    def residual(self):
        u = self.net(self.X)
        u_x = torch.autograd.grad(u.sum(), self.x, create_graph=True)[0]
        return u_x


Problem(6).residual()
