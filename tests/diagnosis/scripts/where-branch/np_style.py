import torch

r = torch.tensor([0.0, 1.0, 2.0], requires_grad=True)
pot = torch.sqrt(r)  # <- here
pot = torch.where(r > 0.5, pot, r**2)
pot.sum().backward()
