import torch
from torch import nn

import apolar as ap

dx, dy = ap.coordinates("x y")
net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
weight = torch.zeros(9, 1)
loss = (weight * ap.evaluate(net, torch.rand(9, 2), dx**2) - 1).pow(2).mean()  # <- here
loss.backward()
