import torch

x = torch.rand(3, requires_grad=True)
y = torch.where(x > 0.5, 1.0, 0.0).sum()  # <- here
y.backward()
