import torch

x = torch.rand(5, 1, requires_grad=True)
u = 3 * x + 1
du = torch.autograd.grad(u.sum(), x, create_graph=True)[0]
d2u = torch.autograd.grad(du.sum(), x, create_graph=True)[0]  # <- here
