import torch
from torch import nn

n = nn.Linear(2, 1)
x = torch.randn(5, 2)
y = torch.tensor([1.0, float("nan"), 2.0, 0.0, 1.0])
m = ~y.isnan()
((n(x).squeeze(1)[m] - y[m]) ** 2).mean().backward()
q = torch.where(m, n(x).squeeze(1) - torch.nan_to_num(y), 0.0).pow(2).sum()
q.backward()
r = torch.tensor([1.0, float("inf")])
(n(x[:2]).squeeze(1) * torch.isfinite(r)).sum().backward()
