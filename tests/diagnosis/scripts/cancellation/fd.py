import torch
from torch import nn

net = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
x = torch.rand(6, 1)
h = 1e-6
opt = torch.optim.Adam(net.parameters())
for _ in range(2):
    du = (net(x + h) - net(x - h)) / (2 * h)  # <- here
    loss = (du - 1).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
