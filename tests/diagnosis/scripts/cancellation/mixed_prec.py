import torch

x = torch.tensor([1e-4], requires_grad=True)
y = (torch.sqrt(1 + x) - 1) / x  # <- here
y.backward()
