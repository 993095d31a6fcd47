import torch


def grad(y, x):
    return torch.autograd.grad(y, x, torch.ones_like(y), create_graph=True)[0]  # <- here


x = torch.rand(4, 1, requires_grad=True)
y = torch.rand(4, 1, requires_grad=True)
u = x * y + torch.sin(y)
u_x = grad(u, x)
u_xx = grad(u_x, x)
