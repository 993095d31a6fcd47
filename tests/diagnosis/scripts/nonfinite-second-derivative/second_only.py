import torch


def r(p):
    return p.norm(dim=1)  # <- here


p = torch.zeros(2, 2, requires_grad=True)
g = torch.autograd.grad(r(p).sum(), p, create_graph=True)[0]
(g**2).sum().backward()
