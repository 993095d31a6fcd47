import torch

x = torch.randn(4, requires_grad=True)
y = torch.exp(x)
z = y.sum()
y *= 0.5  # <- here
z.backward()
