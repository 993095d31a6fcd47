import torch
from torch import nn

net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
k = nn.Parameter(torch.tensor(0.5))
opt = torch.optim.Adam([*net.parameters(), k])
for i in range(3):
    xt = torch.rand(8, 2, requires_grad=True)
    u = net(xt)
    (g,) = torch.autograd.grad(u.sum(), xt, create_graph=True)
    ut, ux = g[:, 1:2], g[:, 0:1]
    uxx = torch.autograd.grad(ux.sum(), xt, create_graph=True)[0][:, 0:1]
    loss = (ut - k * uxx).pow(2).mean() + (u - torch.rand(8, 1)).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(f"k = {k.item():.3f}", float(k))
