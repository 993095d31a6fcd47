import torch


def position(t):
    return 3.0 * t + 1.0


t = torch.linspace(0, 1, 5, requires_grad=True)
x = position(t)
v = torch.autograd.grad(x, t, grad_outputs=torch.ones_like(x), create_graph=True)[0]
a = torch.autograd.grad(v, t, grad_outputs=torch.ones_like(v), create_graph=True)[0]  # <- here
