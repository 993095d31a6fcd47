import torch
from torch import nn


class SteadyNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(1, 8)
        self.out = nn.Linear(8, 1)

    def forward(self, x, t):
        return self.out(torch.tanh(self.lin(x)))


x = torch.rand(5, 1, requires_grad=True)
t = torch.rand(5, 1, requires_grad=True)
u = SteadyNet()(x, t)
u_x = torch.autograd.grad(u.sum(), x, create_graph=True)[0]
u_t = torch.autograd.grad(u.sum(), t, create_graph=True)[0]  # <- here
