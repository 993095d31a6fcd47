import copy

import torch
from torch import nn

torch.manual_seed(0)
q = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 2))
target = copy.deepcopy(q)
optimizer = torch.optim.Adam(q.parameters())
for step in range(6):
    s, a, r, s2 = torch.randn(8, 3), torch.randint(0, 2, (8,)), torch.randn(8), torch.randn(8, 3)
    with torch.no_grad():
        best = q(s2).argmax(1, keepdim=True)
        y = r + 0.9 * target(s2).gather(1, best).squeeze(1)
    value = q(s).gather(1, a[:, None]).squeeze(1)
    loss = nn.functional.smooth_l1_loss(value, y)
    self_target = r + 0.9 * q(s2).max(1).values.detach()
    loss = loss + (value - self_target).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for p, t in zip(q.parameters(), target.parameters()):
            t.mul_(0.99).add_(p, alpha=0.01)
