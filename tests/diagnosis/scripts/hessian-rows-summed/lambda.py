import torch

grad = lambda y, x: torch.autograd.grad(y, x, torch.ones_like(y), create_graph=True)[0]
X = torch.rand(5, 2, requires_grad=True)
u = torch.sin(X[:, :1] * X[:, 1:])
du = grad(u, X)
d2u = torch.autograd.grad(du, X, torch.ones_like(du), create_graph=True)[0]  # <- here
u_xx, u_yy = d2u[:, 0], d2u[:, 1]
