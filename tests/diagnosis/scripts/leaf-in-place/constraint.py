import torch

points = torch.rand(5, 2, requires_grad=True)
points[0] = 0.0  # <- here
