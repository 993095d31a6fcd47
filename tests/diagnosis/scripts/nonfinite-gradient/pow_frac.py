import torch

x = torch.tensor([0.0, 1.0], requires_grad=True)
stress = lambda e: e**0.5  # <- here
stress(x).sum().backward()
