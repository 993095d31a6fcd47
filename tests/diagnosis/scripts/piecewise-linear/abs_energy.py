import torch


def f(x, y):
    return (x - y).abs() + 2 * torch.maximum(x, y)  # <- here


x = torch.tensor([0.3, 2.0], requires_grad=True)
y = torch.tensor([1.0, 1.0])
g = torch.autograd.grad(f(x, y).sum(), x, create_graph=True)[0]
h = torch.autograd.grad(g.sum(), x)[0]
