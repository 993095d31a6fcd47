import torch


def u(x, t):
    return torch.sin(t) * x


x = torch.rand(5, 1, requires_grad=True)
t = torch.rand(5, 1, requires_grad=True)
val = u(x, t)
u_x = torch.autograd.grad(val.sum(), x, create_graph=True)[0]
u_xx = torch.autograd.grad(u_x.sum(), x, create_graph=True, allow_unused=True)[0]  # <- here
residual = val - u_xx
