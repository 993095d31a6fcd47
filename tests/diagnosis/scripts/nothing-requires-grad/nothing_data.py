import torch
from torch import nn

net = nn.Linear(2, 1)
for p in net.parameters():
    p.requires_grad = False
x = torch.rand(4, 2)
u = net(x)
g = torch.autograd.grad(u.sum(), x)  # <- here
