import torch

x = torch.rand(4, requires_grad=True)
u = torch.sin(x) * x


def partial(y):
    return torch.autograd.grad(y.sum(), x)[0]


a = partial(u)
b = torch.autograd.grad(u.sum(), x)[0]  # <- here
