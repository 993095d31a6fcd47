import torch
from torch import nn

net = nn.Sequential(nn.Linear(1, 4), nn.ReLU(), nn.Linear(4, 1))
x = torch.rand(5, 1, requires_grad=True)
y = net(x)  # <- here
d = torch.autograd.grad(y, x, torch.ones_like(y), create_graph=True)[0]
dd = torch.autograd.grad(d, x, torch.ones_like(d), create_graph=True, allow_unused=True)[0]
print(dd)
