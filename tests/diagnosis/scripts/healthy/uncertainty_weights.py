import torch
from torch import nn

trunk, a, b = nn.Linear(3, 6), nn.Linear(6, 1), nn.Linear(6, 1)
logvar = nn.Parameter(torch.zeros(2))
opt = torch.optim.Adam([*trunk.parameters(), *a.parameters(), *b.parameters(), logvar])
running = torch.ones(2)
for _ in range(4):
    x = torch.randn(5, 3)
    h = torch.relu(trunk(x))
    losses = torch.stack([a(h).pow(2).mean(), (b(h) - 1).pow(2).mean()])
    running = 0.9 * running + 0.1 * losses.detach()
    w = (losses.detach() / running).softmax(0) * 2
    loss = (w * (torch.exp(-logvar) * losses + logvar)).sum()
    opt.zero_grad()
    loss.backward()
    opt.step()
