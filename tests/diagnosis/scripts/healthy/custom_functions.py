import torch


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x * g


class Exp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0]


class Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, g):
        return -g


x = torch.rand(4, requires_grad=True)
y = Square.apply(torch.sin(Exp.apply(Reversed.apply(x))))
g = torch.autograd.grad(y.sum(), x, create_graph=True)[0]
h = torch.autograd.grad(g.sum(), x, create_graph=True)[0]
h.sum().backward()
