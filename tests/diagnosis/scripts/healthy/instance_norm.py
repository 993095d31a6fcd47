import torch
from torch import nn

net = nn.Sequential(nn.Conv1d(2, 4, 1), nn.InstanceNorm1d(4), nn.Tanh())
x = torch.rand(3, 2, 5, requires_grad=True)
u = net(x)
du = torch.autograd.grad(u.sum(), x, create_graph=True)[0]
