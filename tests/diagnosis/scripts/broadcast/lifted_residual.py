import torch
from torch import nn

import apolar as ap


@ap.residual("x t")
def equation(u, source):
    return u.t - u.xx - source


net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
r = equation(net, torch.rand(20, 2), torch.rand(20))  # <- here
r.pow(2).mean().backward()
