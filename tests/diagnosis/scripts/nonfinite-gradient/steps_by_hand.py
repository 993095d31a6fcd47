import torch
from torch import nn

net, scale = nn.Linear(2, 1), nn.Parameter(torch.zeros(2))
X = torch.rand(6, 2)
for _ in range(3):
    net.zero_grad()
    scale.grad = None
    size = torch.sqrt((scale**2).sum())  # <- here
    loss = size + net(X).pow(2).mean()
    loss.backward()
    with torch.no_grad():
        for p in (scale, *net.parameters()):
            p -= 0.1 * p.grad
