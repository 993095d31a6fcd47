import torch
from torch import nn
from torch.func import functional_call, grad, vmap

net = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
params = {k: v for k, v in net.named_parameters()}


def loss(p, x, y):
    return ((functional_call(net, p, (x,)) - y) ** 2).mean()


def inner(p, x, y):
    g = grad(loss)(p, x, y)
    return {k: v - 0.1 * g[k] for k, v in p.items()}


def outer(p, xs, ys, xq, yq):
    return loss(inner(p, xs, ys), xq, yq)


opt = torch.optim.Adam(net.parameters())
for _ in range(2):
    x, xq = torch.randn(3, 5, 1), torch.randn(3, 5, 1)
    losses = vmap(outer, in_dims=(None, 0, 0, 0, 0))(params, x, x.sin(), xq, xq.sin())
    opt.zero_grad()
    losses.mean().backward()
    opt.step()
