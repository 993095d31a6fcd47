import torch

x = torch.randn(3, requires_grad=True)
y = torch.tanh(x) * x.sum()
J = torch.zeros(3, 3)
for i, yi in enumerate(y):
    J[i] = torch.autograd.grad(yi, x)[0]  # <- here
