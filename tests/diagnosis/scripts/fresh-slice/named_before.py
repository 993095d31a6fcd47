import torch

points = torch.rand(6, 2, requires_grad=True)
x, t = points[:, 0], points[:, 1]  # <- here


def field(p):
    return torch.sin(p[:, 0]) * torch.exp(p[:, 1])


def derivative(y, x):
    return torch.autograd.grad(y, x, torch.ones_like(y))[0]


derivative(field(points), t)
