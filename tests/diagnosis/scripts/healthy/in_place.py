import torch
from torch import nn

layer = nn.Linear(2, 2)
with torch.no_grad():
    layer.weight.fill_(0.1)
nn.init.xavier_uniform_(layer.weight)
out = torch.zeros(3)
w = torch.ones(3, requires_grad=True)
for k in range(3):
    out[k] = (w * k).sum()
out += 1
out.sum().backward()
h = torch.relu_(layer(torch.randn(2, 2)))
(h + 1).mul_(2).sum().backward()
