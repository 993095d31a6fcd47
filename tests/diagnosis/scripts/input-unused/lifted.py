import torch
from torch import nn

import apolar as ap

dx, dy = ap.coordinates("x y")
net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
X = torch.rand(5, 2)
ap.evaluate(lambda p: net(X), X, dx**2)  # <- here
