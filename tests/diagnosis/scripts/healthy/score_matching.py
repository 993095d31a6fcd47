import torch
from torch import nn

score = nn.Sequential(nn.Linear(2, 16), nn.Softplus(), nn.Linear(16, 2))
opt = torch.optim.Adam(score.parameters())
for _ in range(2):
    x = torch.randn(6, 2).requires_grad_()
    s = score(x)
    trace = 0.0
    for i in range(2):
        trace = trace + torch.autograd.grad(s[:, i].sum(), x, create_graph=True)[0][:, i]
    loss = (trace + 0.5 * s.pow(2).sum(1)).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
