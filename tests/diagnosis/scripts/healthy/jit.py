import torch


@torch.jit.script
def f(x):
    return torch.sin(x) * 2


x = torch.rand(3, requires_grad=True)
f(x).sum().backward()
