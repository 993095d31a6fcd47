import torch

x = (torch.randn(100) + 5000).requires_grad_()
variance = (x**2).mean() - x.mean() ** 2  # <- here
variance.backward()
