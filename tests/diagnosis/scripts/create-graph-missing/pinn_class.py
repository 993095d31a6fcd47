import torch
from torch import nn


class HeatPINN(nn.Module):
    def __init__(self, alpha=0.1):
        super().__init__()
        self.alpha = alpha
        self.net = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))

    def loss(self, x, t):
        u = self.net(torch.hstack((x, t)))
        u_t = torch.autograd.grad(u.sum(), t, create_graph=True)[0]
        u_x = torch.autograd.grad(u.sum(), x, retain_graph=True)[0]  # <- here
        u_xx = torch.autograd.grad(u_x.sum(), x, create_graph=True)[0]
        return (u_t - self.alpha * u_xx).square().mean()


m = HeatPINN()
x = torch.rand(7, 1, requires_grad=True)
t = torch.rand(7, 1, requires_grad=True)
try:
    m.loss(x, t).backward()
except RuntimeError as err:
    print("failed:", err)
