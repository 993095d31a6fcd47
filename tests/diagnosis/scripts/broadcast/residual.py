import torch
from torch import nn

torch.manual_seed(0)
net = nn.Linear(1, 1)
x, target = torch.rand(8, 1), torch.rand(8)
loss = (net(x) - target).pow(2).mean()  # <- here
loss.backward()
