import torch

X = torch.rand(5, 2, requires_grad=True)
u = torch.sin(X[:, 0] * X[:, 1])
g = torch.autograd.grad(u.sum(), X, create_graph=True)[0]
H = torch.autograd.grad(g, X, torch.ones_like(g))[0]  # <- here
u_xx = H[:, 0]
