import torch
from torch import nn

net = nn.Linear(2, 1)
x = torch.rand(3, 2)
net(x).sum().backward()
print(x.grad)  # <- here
