import torch
from torch import nn

H = nn.Sequential(nn.Linear(2, 16), nn.Softplus(), nn.Linear(16, 1))
opt = torch.optim.Adam(H.parameters(), lr=1e-2)
q = torch.randn(8, 1)
p = torch.randn(8, 1)
dq, dp = p.clone(), -q.clone()
for step in range(2):
    z = torch.cat([q, p], 1).requires_grad_()
    dH = torch.autograd.grad(H(z).sum(), z)[0]  # <- here
    loss = ((dH[:, 1:] - dq) ** 2).mean() + ((-dH[:, :1] - dp) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
