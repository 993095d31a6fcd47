import torch

import apolar as ap

dx, dy = ap.coordinates("x y")
net = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
X = torch.rand(6, 2)
ap.evaluate(net, X, dx**2 + dy**2).pow(2).mean().backward()
print(ap.hessian(lambda x: (x**3).sum())(torch.rand(3)))
