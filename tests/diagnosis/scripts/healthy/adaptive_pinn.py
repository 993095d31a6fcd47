import torch
from torch import nn

net = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
opt = torch.optim.Adam(net.parameters())
lam = 1.0
for i in range(4):
    x = torch.linspace(0, 1, 10).reshape(-1, 1).requires_grad_(True)
    u = net(x)
    ux = torch.autograd.grad(u, x, torch.ones_like(u), create_graph=True)[0]
    uxx = torch.autograd.grad(ux, x, torch.ones_like(ux), create_graph=True)[0]
    lr_ = (uxx + torch.sin(x)).pow(2).mean()
    lb = net(torch.tensor([[0.0], [1.0]])).pow(2).mean()
    gr = torch.autograd.grad(lr_, list(net.parameters()), retain_graph=True, allow_unused=True)
    gb = torch.autograd.grad(lb, list(net.parameters()), retain_graph=True)
    mx = max(g.abs().max().item() for g in gr if g is not None)
    mean = torch.cat([g.flatten() for g in gb]).abs().mean().item()
    lam = 0.9 * lam + 0.1 * mx / mean
    loss = lr_ + lam * lb
    opt.zero_grad()
    loss.backward()
    opt.step()
