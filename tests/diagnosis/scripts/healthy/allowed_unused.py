import torch
from torch import nn

net = nn.ModuleDict({"a": nn.Linear(2, 1), "b": nn.Linear(2, 1)})
x = torch.randn(4, 2)
loss = net["a"](x).pow(2).mean()
grads = torch.autograd.grad(loss, list(net.parameters()), allow_unused=True)
total = sum(g.pow(2).sum() for g in grads if g is not None)
print(total.item())
