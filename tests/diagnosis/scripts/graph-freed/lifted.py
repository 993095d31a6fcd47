import torch
from torch import nn

import apolar as ap

dx, dy = ap.coordinates("x y")
net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
loss = ap.evaluate(net, torch.rand(20, 2), dx**2 + dy**2).pow(2).mean()
for _ in range(2):
    loss.backward()  # <- here
