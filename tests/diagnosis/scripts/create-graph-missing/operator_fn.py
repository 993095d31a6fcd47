from functools import partial

import torch
from torch import nn

D = partial(torch.autograd.grad, retain_graph=True)


def div(F, X):
    return sum(D(F[:, i].sum(), X)[0][:, i] for i in range(2))  # <- here


net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
opt = torch.optim.Adam(net.parameters())
X = torch.rand(6, 2, requires_grad=True)
for _ in range(2):
    loss = div(net(X), X).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
