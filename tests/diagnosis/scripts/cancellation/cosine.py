import torch

x = torch.tensor([1e-3, 2e-4, 3e-4], requires_grad=True)
y = (1 - torch.cos(x)) / x**2  # <- here
(g,) = torch.autograd.grad(y.sum(), x)
