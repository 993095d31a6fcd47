import torch

edges = torch.linspace(0, 1, 5)
x = torch.rand(6, requires_grad=True)
hist = torch.bucketize(x, edges).float()  # <- here
hist.var().backward()
