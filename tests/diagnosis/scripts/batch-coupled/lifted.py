import torch
from torch import nn

import apolar as ap

net = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 1))
ap.laplacian(net)(torch.rand(8, 2))  # <- here
