import torch

a = torch.tensor([1.0, 0.0], requires_grad=True)
angle = torch.acos(a)  # <- here
angle.sum().backward()
