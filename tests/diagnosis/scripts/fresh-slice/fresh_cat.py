import torch
from torch import nn

net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
x = torch.rand(3, 1, requires_grad=True)
t = torch.rand(3, 1, requires_grad=True)
u = net(torch.cat([x, t], 1))
X = torch.cat([x, t], 1)  # <- here
torch.autograd.grad(u.sum(), X)
