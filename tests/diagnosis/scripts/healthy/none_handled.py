import torch


def grad(y, x):
    g = torch.autograd.grad(y.sum(), x, create_graph=True, allow_unused=True)[0]
    return torch.zeros_like(x) if g is None else g


x = torch.rand(5, 1, requires_grad=True)
t = torch.rand(5, 1, requires_grad=True)
u = torch.sin(t) * x
r = grad(u, t) - grad(grad(u, x), x)
print(r.shape)
