import torch
from torch import nn

import apolar as ap

net = nn.Linear(2, 4)
nn.init.zeros_(net.weight), nn.init.zeros_(net.bias)


def f(p):
    return torch.sqrt(net(p) ** 2)  # <- here


print(ap.grad(lambda x: torch.acos(x).sum())(torch.ones(2)))  # <- nonfinite-gradient
ap.laplacian(f)(torch.rand(4, 2)).sum().backward()
