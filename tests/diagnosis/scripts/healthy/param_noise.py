import torch
from torch import nn

net = nn.Linear(2, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(3):
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.01 * torch.randn_like(p))
    l = net(torch.rand(3, 2)).pow(2).mean()
    opt.zero_grad()
    l.backward()
    for p in net.parameters():
        p.grad.data.clamp_(-1, 1)
        p.grad /= 2
    opt.step()
    with torch.no_grad():
        net.weight.clamp_(-1, 1)
        n = net.weight.norm()
        net.weight.div_(max(n.item(), 1.0))
