import torch
from torch import nn

q = nn.Linear(4, 2)
opt = torch.optim.Adam(q.parameters())
s, s2, r, done = torch.randn(6, 4), torch.randn(6, 4), torch.randn(6), torch.zeros(6)
a = torch.randint(0, 2, (6, 1))
q_sa = q(s).gather(1, a)
with torch.no_grad():
    target = r + 0.99 * (1 - done) * q(s2).max(1).values
td = target - q_sa  # <- here
loss = td.pow(2).mean()
opt.zero_grad()
loss.backward()
opt.step()
