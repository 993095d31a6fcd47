import torch

x = torch.rand(4, requires_grad=True)
z = torch.rand(4, requires_grad=True)
y = torch.sin(z).sum()
(g,) = torch.autograd.grad(y, x)  # <- here
