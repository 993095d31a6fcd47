import torch
from torch import nn

n = nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))
s = nn.utils.parametrizations.spectral_norm(nn.Linear(2, 2))
o = torch.optim.Adam([*n.parameters(), *s.parameters()])
for _ in range(4):
    o.zero_grad()
    s(n(torch.randn(3, 2))).pow(2).mean().backward()
    o.step()
