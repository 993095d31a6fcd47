import torch

x = torch.linspace(0, 1, 5).requires_grad_()
u = torch.sin(x)
du = torch.autograd.grad(u.sum(), x)[0]  # <- here
d2u = torch.autograd.grad(du.sum(), x)[0]
