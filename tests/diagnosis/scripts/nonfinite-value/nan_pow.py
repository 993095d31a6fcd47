import torch

a = torch.tensor([-1.0, 2.0], requires_grad=True)
y = torch.pow(a, 0.5)  # <- here
y.sum().backward()
