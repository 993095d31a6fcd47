import torch

x = torch.ones(3, requires_grad=True)
h = torch.tanh(x)
y = h.sum()
y.backward()
g = h.grad  # <- here
