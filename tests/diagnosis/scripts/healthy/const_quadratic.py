import torch

t = torch.linspace(0, 1, 4).requires_grad_()
s = 0.5 * 9.81 * t**2
v = torch.autograd.grad(s, t, torch.ones_like(s), create_graph=True)[0]
a = torch.autograd.grad(v, t, torch.ones_like(v), create_graph=True)[0]
j = torch.autograd.grad(a, t, torch.ones_like(a), create_graph=True)[0]
