import torch
from torch import nn

n = nn.Linear(3, 2)
o = torch.optim.SGD(n.parameters(), lr=0.1)
y = torch.tensor([0, 1, 1, 0])
cw = torch.tensor([1.0 / (y == c).sum().item() for c in range(2)])
for _ in range(2):
    l = nn.functional.cross_entropy(n(torch.randn(4, 3)), y, weight=cw)
    o.zero_grad()
    l.backward()
    o.step()
    lr = 0.1 * (1 - l.item() / 10)
    for g in o.param_groups:
        g["lr"] = max(lr, 0.01)
