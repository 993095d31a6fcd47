import torch
from torch import nn

net = nn.Linear(2, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(2):
    prediction = (net(torch.randn(4, 2)) > 0).float()  # <- piecewise-constant
    loss = (prediction - 1).pow(2).mean()
    loss.requires_grad = True  # <- here
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
