import torch

x = torch.linspace(-1, 1, 6).requires_grad_()
u = x.clamp(min=0)  # <- here
du = torch.autograd.grad(u.sum(), x, create_graph=True)[0]
d2u = torch.autograd.grad(du.sum(), x)[0]
