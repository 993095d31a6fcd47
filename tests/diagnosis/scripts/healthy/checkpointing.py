import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

blocks = nn.ModuleList([nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Dropout(0.1)) for _ in range(3)])
head = nn.Linear(4, 1)
opt = torch.optim.SGD([*blocks.parameters(), *head.parameters()], lr=0.1)
for _ in range(2):
    h = torch.randn(5, 4)
    for b in blocks:
        h = checkpoint(b, h, use_reentrant=False)
    loss = head(h).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
