import torch


def rbf(a, b):
    return torch.exp(-(torch.cdist(a, b) ** 2))


a, b = torch.randn(4, 2, requires_grad=True), torch.randn(3, 2)
g = torch.autograd.grad(rbf(a, b).sum(), a, create_graph=True)[0]
h = torch.autograd.grad(g.pow(2).sum(), a)[0]  # <- here
