import copy

import torch
from torch import nn

meta = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
for task in range(2):
    inner = copy.deepcopy(meta)
    opt = torch.optim.SGD(inner.parameters(), lr=0.02)
    for _ in range(3):
        x = torch.rand(6, 1)
        loss = (inner(x) - torch.sin(x + task)).pow(2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        for p, q in zip(meta.parameters(), inner.parameters()):
            p.add_(q - p, alpha=0.1)
