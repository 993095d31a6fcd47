import torch
from torch import nn

net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
X = torch.rand(6, 2, requires_grad=True)
u = net(X)
u_x = torch.autograd.grad(u.sum(), X[:, 0:1], create_graph=True)[0]  # <- here
