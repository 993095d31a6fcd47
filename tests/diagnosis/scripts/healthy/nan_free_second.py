import torch

x = torch.rand(5, 3, requires_grad=True)
n = torch.sqrt((x**2).sum(1) + 1e-12)
g = torch.autograd.grad(n.sum(), x, create_graph=True)[0]
(g.norm(dim=1) - 1).pow(2).mean().backward()
