import torch
from torch import nn

net = nn.Sequential(nn.Linear(1, 8), nn.LayerNorm(8), nn.Tanh(), nn.Linear(8, 1))
x = torch.rand(6, 1, requires_grad=True)
u = net(x)  # <- here
ux = torch.autograd.grad(u.sum(), x, create_graph=True)[0]
uxx = torch.autograd.grad(ux.sum(), x, create_graph=True)[0]
uxx.pow(2).mean().backward()
