import torch
from torch import nn

net = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(3):
    loss = net(torch.randn(4, 3)).square().mean()
    opt.zero_grad()
    loss.backward()
    total = 0.0
    for p in net.parameters():
        total += p.grad.detach().data.norm(2).item() ** 2
    total = total**0.5
    scale = 1.0 / max(total, 1.0)
    for p in net.parameters():
        p.grad.mul_(scale)
    opt.step()
    norms = {n: p.grad.abs().mean().item() for n, p in net.named_parameters() if p.grad is not None}
    for group in opt.param_groups:
        group["lr"] = 0.1 * (1 - step / 3)
