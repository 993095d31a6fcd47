import torch
from torch import nn

net = nn.Linear(2, 1)
with torch.no_grad():  # <- here
    y = net(torch.randn(3, 2))
y.mean().backward()
