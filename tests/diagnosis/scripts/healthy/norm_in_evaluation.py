import torch
from torch import nn

net = nn.Sequential(nn.Linear(1, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 1)).double()
net(torch.rand(9, 1, dtype=torch.float64))
net.eval()
x = torch.rand(5, 1, dtype=torch.float64, requires_grad=True)
d = net(x)
for _ in range(3):
    d = torch.autograd.grad(d.sum(), x, create_graph=True)[0]
print(d)
