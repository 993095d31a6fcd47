import torch
from torch import nn

net = nn.Sequential(nn.Linear(1, 6), nn.LayerNorm(6), nn.Sigmoid(), nn.Linear(6, 1)).double()
x = torch.rand(4, 1).double().requires_grad_()
d = net(x)  # <- here
for k in range(4):
    d = torch.autograd.grad(d.sum(), x, create_graph=True)[0]
