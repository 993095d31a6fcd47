import torch
from torch import nn


class PINN(nn.Module):
    def __init__(s):
        super().__init__()
        s.net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))

    def forward(s, x):
        return s.net(x)

    def residual(s, x):
        u = s(x)
        g = torch.autograd.grad(u, x, grad_outputs=torch.ones_like(u), create_graph=True)[0]
        gx = g[:, :1]
        g2 = torch.autograd.grad(gx, x, grad_outputs=torch.ones_like(gx))[0]  # <- here
        return g2[:, :1] + u


m = PINN()
opt = torch.optim.Adam(m.parameters())
for i in range(3):
    x = torch.rand(10, 2, requires_grad=True)
    loss = (m.residual(x) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
