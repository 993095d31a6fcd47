import torch
from torch import nn

import apolar as ap

net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
total = 0.0
for _ in range(6):
    optimizer.zero_grad()
    loss = ap.laplacian(net)(torch.rand(6, 2)).pow(2).mean()
    loss.backward()
    optimizer.step()
    total = total + loss  # <- here
