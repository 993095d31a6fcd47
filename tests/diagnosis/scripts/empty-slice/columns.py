import torch
from torch import nn

net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
X = torch.rand(5, 2, requires_grad=True)
u = net(X)
du = torch.autograd.grad(u.sum(), X, create_graph=True)[0]
du = du[:, 0:1]
u_x, u_t = du, du[:, 1:]  # <- here
loss = (u_x - u).pow(2).mean() + u_t.pow(2).sum()
loss.backward()
