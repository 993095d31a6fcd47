import torch


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x * g


x = torch.tensor([1.0, 2.0], requires_grad=True)
y = Square.apply(x)
g = torch.autograd.grad(y.sum(), x, create_graph=True)[0]
g2 = torch.autograd.grad(g.sum(), x)[0]  # <- here
