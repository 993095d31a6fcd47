import torch
from torch import nn

x = torch.rand(3, 2)
lin = nn.Linear(2, 2)
h = torch.sigmoid(lin(x))
h.mul_(2)  # <- here
h.sum().backward()
