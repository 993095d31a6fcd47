import torch
from torch import nn

net = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
params = list(net.parameters())
loss = net(torch.randn(5, 2)).pow(2).mean()
g = torch.autograd.grad(loss, params, create_graph=True)
v = [torch.randn_like(p) for p in params]
hv = torch.autograd.grad(sum((a * b).sum() for a, b in zip(g, v)), params, allow_unused=True)
print([h is None for h in hv])
