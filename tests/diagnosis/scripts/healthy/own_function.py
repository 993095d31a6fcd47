import torch
from torch import nn


class Exp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = x.detach().exp().sum()
        ctx.save_for_backward(x.exp())
        return y

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0]


net = nn.Linear(2, 2)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(2):
    optimizer.zero_grad()
    (net(torch.randn(3, 2)).pow(2).mean() + Exp.apply(net.weight)).backward()
    optimizer.step()
block = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
x = torch.randn(3, 2, requires_grad=True)
torch.utils.checkpoint.checkpoint(block, x, use_reentrant=False).sum().backward()
torch.utils.checkpoint.checkpoint(block, x, use_reentrant=True).sum().backward()
