import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(1, 4), nn.LayerNorm(4), nn.Tanh(), nn.Linear(4, 1)).double()
x = torch.rand(5, 1, dtype=torch.float64, requires_grad=True)
y = net(x)  # <- here
for _ in range(3):
    y = torch.autograd.grad(y.sum(), x, create_graph=True)[0]
