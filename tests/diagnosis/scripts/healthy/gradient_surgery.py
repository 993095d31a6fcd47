import torch
from torch import nn

net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(2):
    out = net(torch.randn(6, 3))
    losses = [out[:, 0].pow(2).mean(), (out[:, 1] - 1).pow(2).mean()]
    grads = []
    for l in losses:
        opt.zero_grad()
        l.backward(retain_graph=True)
        grads.append(torch.cat([p.grad.flatten() for p in net.parameters()]).clone())
    g0, g1 = grads
    dot = g0 @ g1
    if dot < 0:
        g0 = g0 - dot / g1.norm() ** 2 * g1
    flat = g0 + g1
    i = 0
    for p in net.parameters():
        p.grad = flat[i : i + p.numel()].view_as(p).clone()
        i += p.numel()
    opt.step()
