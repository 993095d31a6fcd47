import torch
from torch import nn

net = nn.Linear(2, 1)
data = torch.tensor([[1.0, 2.0], [float("nan"), 0.0]])
loss = (net(data) * 2 + 1).pow(2).mean()  # <- here
loss.backward()
