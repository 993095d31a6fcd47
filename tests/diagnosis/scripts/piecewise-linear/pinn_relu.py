import torch
from torch import nn


def mlp(sizes, act):
    layers = []
    for a, b in zip(sizes[:-1], sizes[1:]):
        layers += [nn.Linear(a, b), act()]
    return nn.Sequential(*layers[:-1])


net = mlp([1, 16, 16, 1], nn.LeakyReLU)
x = torch.linspace(0, 1, 10).reshape(-1, 1).requires_grad_()
opt = torch.optim.Adam(net.parameters())
for _ in range(2):
    u = net(x)  # <- here
    u_x = torch.autograd.grad(u, x, torch.ones_like(u), create_graph=True)[0]
    u_xx = torch.autograd.grad(u_x, x, torch.ones_like(u), create_graph=True)[0]
    loss = (u_xx + 1).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
