import torch

x = torch.rand(5, 1, requires_grad=True)
w = torch.rand(1, 1, requires_grad=True)
u = x @ w
du = torch.autograd.grad(u.sum(), x, create_graph=True)[0]
d2u = torch.autograd.grad(du.sum(), x, allow_unused=True, materialize_grads=True)[0]
(u + du + d2u).sum().backward()
