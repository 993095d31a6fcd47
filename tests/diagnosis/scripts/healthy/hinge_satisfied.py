import torch
from torch import nn

net = nn.Linear(2, 1)
loss = torch.relu(1 - (net(torch.rand(5, 2)) + 100)).mean()
loss.backward()
