import torch
from torch import nn

net = nn.Linear(1, 1)
outs = [net(torch.rand(1)) for _ in range(3)]
loss = torch.tensor(outs).mean()  # <- here
loss.backward()
