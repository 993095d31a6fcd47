import torch

x = torch.ones(3, requires_grad=True)
y = torch.exp(x)
y += 1  # <- here
y.sum().backward()
