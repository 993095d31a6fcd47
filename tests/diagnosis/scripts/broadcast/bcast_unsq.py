import torch
from torch import nn

net = nn.Linear(3, 1)
y = torch.rand(5).unsqueeze(1)
p = net(torch.rand(5, 3)).squeeze()
loss = ((p - y) ** 2).mean()  # <- here
loss.backward()
