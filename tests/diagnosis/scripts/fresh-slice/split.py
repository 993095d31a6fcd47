import torch


def laplace(f, X):
    u = f(X)
    total = 0
    for xi in torch.split(X, 1, dim=1):  # <- here
        d = torch.autograd.grad(u.sum(), xi, create_graph=True, allow_unused=True)[0]
        if d is not None:
            total = total + d
    return total


laplace(lambda X: (X**3).sum(1), torch.rand(4, 2, requires_grad=True))
