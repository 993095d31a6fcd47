import torch

x = torch.tensor([1.2, 0.8, 0.5], requires_grad=True)
f = (100 * (x[1:] - x[:-1] ** 2) ** 2).sum()
g = torch.autograd.grad(f, x, create_graph=True)[0]
h = torch.autograd.grad(g.sum(), x)[0]  # <- here
