import torch

x = torch.linspace(0, 1, 4, requires_grad=True)
y = torch.sin(x).sum()
y.backward()  # <- here
dy = x.grad
d2y = torch.autograd.grad(dy.sum(), x)[0]
