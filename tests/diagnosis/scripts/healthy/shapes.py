import torch
from torch import nn

torch.manual_seed(0)
net = nn.Linear(2, 1)
x, y = torch.rand(6, 2), torch.rand(6)
loss = (net(x).squeeze(-1) - y).pow(2).mean() + nn.functional.mse_loss(net(x), y[:, None])
loss.backward()
bias = torch.zeros(1, requires_grad=True)
(net(x) + bias - y.unsqueeze(1)).pow(2).mean().backward()
p = torch.rand(5, requires_grad=True)
distances = (p[:, None] - p).abs()
pairs = p.unsqueeze(1) - torch.rand(5)
matrix = p[:, None] - p[None, :]
(distances + pairs.pow(2) + matrix.pow(2)).mean().backward()
column = torch.rand(6, 1, requires_grad=True)
(column - torch.rand(1)).sum().backward()
