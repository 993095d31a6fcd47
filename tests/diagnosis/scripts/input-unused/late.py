import torch
from torch import nn

net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
x = torch.rand(5, 2)
u = net(x)
x.requires_grad_(True)
g = torch.autograd.grad(u.sum(), x)[0]  # <- here
