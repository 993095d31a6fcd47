import torch
from torch import nn

net = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1))


def lap(x):
    x = x.clone().requires_grad_(True)
    u = net(x)  # <- here
    g = torch.autograd.grad(u.sum(), x, create_graph=True)[0]
    s = 0
    for i in range(2):
        s = s + torch.autograd.grad(g[:, i].sum(), x, create_graph=True)[0][:, i]
    return s


opt = torch.optim.Adam(net.parameters())
for _ in range(2):
    opt.zero_grad()
    loss = (lap(torch.rand(5, 2)) - 1).pow(2).mean()
    loss.backward()
    opt.step()
