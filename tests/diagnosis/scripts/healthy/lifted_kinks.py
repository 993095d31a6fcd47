import torch
from torch import nn

import apolar as ap

dx, dy = ap.coordinates("x y")
X = torch.rand(20, 2)
relu = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
u_x, u_y = ap.evaluate(relu, X, dx, dy)
(u_x + u_y).pow(2).mean().backward()
print(ap.laplacian(lambda p: relu(torch.sin(p)))(X))
print(ap.laplacian(lambda p: torch.where(p > 0.5, p**2, p))(X))
print(ap.laplacian(lambda p: p * (p > 0.5) + p.square() * torch.sign(p))(X))
print(ap.laplacian(lambda p: torch.where(p > 0, torch.sqrt(p.clamp(min=1e-3)), 0.0))(X))
print(ap.hessian(lambda p: (p[p > 0] ** 4).sum())(torch.rand(3)))
print(ap.derivative(torch.sin, order=4)(torch.rand(3)), ap.grad(lambda x: x.relu().sum())(torch.rand(3)))
