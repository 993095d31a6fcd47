import torch
from torch import nn

net = nn.Sequential(nn.Linear(1, 10), nn.Tanh(), nn.Linear(10, 1))
opt = torch.optim.Adam(net.parameters())


def residual(x):
    x = x.requires_grad_(True)
    u = net(x)
    du = torch.autograd.grad(u, x, torch.ones_like(u), create_graph=True)[0]
    return du + u - torch.sin(x)


pts = torch.rand(8, 1)
for epoch in range(4):
    loss = residual(pts).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if epoch % 2 == 1:
        cand = torch.rand(20, 1)
        err = residual(cand).abs().detach().squeeze()
        worst = torch.topk(err, 3).indices
        pts = torch.cat([pts.detach(), cand[worst].detach()])
