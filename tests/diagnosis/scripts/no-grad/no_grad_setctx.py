import torch
from torch import nn

net = nn.Linear(2, 1)
train = False
with torch.set_grad_enabled(train):  # <- here
    loss = net(torch.rand(3, 2)).mean()
loss.backward()
