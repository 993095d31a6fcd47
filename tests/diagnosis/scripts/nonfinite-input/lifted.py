import torch
from torch import nn

import apolar as ap

net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
with torch.no_grad():
    net[2].bias.fill_(float("nan"))
ap.laplacian(net)(torch.rand(5, 2))  # <- here
