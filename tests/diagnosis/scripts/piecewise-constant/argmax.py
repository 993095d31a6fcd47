import torch
from torch import nn
from torch.nn import functional as F

net = nn.Linear(2, 3)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
choice = net(torch.randn(4, 2)).argmax(-1)  # <- here
loss = F.one_hot(choice, 3).float().mean()
loss.backward()
