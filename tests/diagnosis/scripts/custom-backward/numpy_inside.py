import numpy as np
import torch


class Sine(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.x = x.detach().numpy()
        return torch.from_numpy(np.sin(ctx.x))

    @staticmethod  # <- here
    def backward(ctx, g):
        return g * torch.from_numpy(np.cos(ctx.x))


x = torch.rand(4, requires_grad=True)
y = Sine.apply(x) * x
g = torch.autograd.grad(y.sum(), x, create_graph=True)[0]
torch.autograd.grad(g.sum(), x)
