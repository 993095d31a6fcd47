import torch
from torch import nn

n = nn.Linear(2, 2)
o = torch.optim.SGD(n.parameters(), lr=0.1)
a = torch.optim.swa_utils.AveragedModel(n)
for _ in range(4):
    o.zero_grad()
    n(torch.randn(3, 2)).pow(2).mean().backward()
    o.step()
    a.update_parameters(n)
