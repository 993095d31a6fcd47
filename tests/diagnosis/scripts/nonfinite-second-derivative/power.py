import torch

x = torch.tensor([0.0, 1.0], requires_grad=True)
y = x**1.5  # <- here
dy = torch.autograd.grad(y.sum(), x, create_graph=True)[0]
d2y = torch.autograd.grad(dy.sum(), x)[0]
