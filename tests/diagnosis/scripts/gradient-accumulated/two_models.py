import torch
from torch import nn

a, b = nn.Linear(2, 1), nn.Linear(2, 1)
oa, ob = torch.optim.SGD(a.parameters(), 0.1), torch.optim.SGD(b.parameters(), 0.1)
for _ in range(3):
    x = torch.randn(4, 2)
    ob.zero_grad()
    loss = (a(x) - 1).pow(2).mean()
    loss.backward()  # <- here
    oa.step()
