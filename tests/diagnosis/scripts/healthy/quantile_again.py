import torch
from torch import nn


def pinball(pred, y, q):
    e = y - pred
    return torch.max(q * e, (q - 1) * e).mean()


net = nn.Sequential(nn.Linear(1, 8), nn.ELU(), nn.Linear(8, 3))
opt = torch.optim.Adam(net.parameters())
qs = torch.tensor([0.1, 0.5, 0.9])
x = torch.rand(20, 1)
y = x + 0.2 * torch.randn(20, 1)
for _ in range(3):
    loss = pinball(net(x), y, qs)
    opt.zero_grad()
    loss.backward()
    opt.step()
coverage = ((net(x)[:, 0:1] < y) & (y < net(x)[:, 2:3])).float().mean().item()
print(f"{coverage:.2f}")
