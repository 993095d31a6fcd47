import torch
from torch import nn

net = nn.Linear(2, 2)
cut = lambda t: t.detach()  # <- here
loss = cut(net(torch.rand(3, 2))).pow(2).mean()
loss.backward()
