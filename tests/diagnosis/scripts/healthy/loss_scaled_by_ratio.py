import torch
from torch import nn

vq_dec = nn.Linear(4, 4)
disc = nn.Sequential(nn.Linear(4, 4), nn.LeakyReLU(), nn.Linear(4, 1))
opt = torch.optim.Adam(vq_dec.parameters())
for _ in range(2):
    x = torch.randn(5, 4)
    rec = vq_dec(x)
    nll = (x - rec).abs().mean()
    g = -disc(rec).mean()
    a = torch.autograd.grad(nll, vq_dec.weight, retain_graph=True)[0]
    b = torch.autograd.grad(g, vq_dec.weight, retain_graph=True)[0]
    d_weight = torch.clamp(a.norm() / (b.norm() + 1e-4), 0.0, 1e4).detach()
    loss = nll + d_weight * g
    opt.zero_grad()
    loss.backward()
    opt.step()
