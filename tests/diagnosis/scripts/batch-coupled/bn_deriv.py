import torch
from torch import nn

net = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 1)).train()
opt = torch.optim.Adam(net.parameters())
for _ in range(2):
    x = torch.rand(16, 2, requires_grad=True)
    u = net(x)  # <- here
    du = torch.autograd.grad(u, x, torch.ones_like(u), create_graph=True)[0]
    loss = (du[:, 0:1] + du[:, 1:2]).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
