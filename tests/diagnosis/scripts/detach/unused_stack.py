import torch

x = torch.rand(5, requires_grad=True)
y = torch.rand(5, requires_grad=True)
xy = torch.stack([x, y], 1)
X = xy.detach().requires_grad_()  # <- here
u = (X**2).sum()
torch.autograd.grad(u, x)
