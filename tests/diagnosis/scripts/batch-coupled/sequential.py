import torch
from torch import nn

net = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 1))
X = torch.rand(10, 2, requires_grad=True)
u = net(X)  # <- here
du = torch.autograd.grad(u.sum(), X, create_graph=True)[0]
