import torch
from torch import nn

net = nn.Linear(3, 2)
l = nn.functional.cross_entropy(net(torch.rand(4, 3)), torch.tensor([0, 1, 0, 1]), reduction="none")
l.backward()  # <- here
