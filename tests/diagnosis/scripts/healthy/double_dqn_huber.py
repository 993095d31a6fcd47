import torch
from torch import nn

n = nn.Linear(2, 1)
x = torch.randn(5, 2)
w = torch.tensor([0.5] * 5)
for y in (torch.randn(5, 1),):
    e = n(x) - y
    p = (e.detach().abs() + 1e-5).squeeze(1).tolist()
    nn.functional.smooth_l1_loss(n(x).view(-1), y.view(-1), reduction="none").mul(w).mean().backward()
