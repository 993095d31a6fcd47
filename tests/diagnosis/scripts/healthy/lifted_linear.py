import torch
from torch import nn

import apolar as ap

dx, dy = ap.coordinates("x y")
X = torch.rand(9, 2)
print(ap.evaluate(nn.Linear(2, 1), X, dx**2), ap.laplacian(lambda p: 3 * p)(X))
print(ap.check(nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1)).double(), X.double(), dx, dx**2))
