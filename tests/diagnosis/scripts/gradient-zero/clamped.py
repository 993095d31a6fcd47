import torch
from torch import nn

net = nn.Linear(2, 1)
optimizer = torch.optim.Adam(net.parameters())
for _ in range(2):
    optimizer.zero_grad()
    probability = (net(torch.rand(5, 2)) + 50).clamp(1e-6, 1.5)  # <- here
    loss = -torch.log(probability).mean()
    loss.backward()
    optimizer.step()
