import torch
from torch import nn

net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(3):
    optimizer.zero_grad()
    u = net(torch.rand(6, 2))
    loss = torch.sqrt((u - u.detach()).square().sum())  # <- here
    loss.backward()
    optimizer.step()
