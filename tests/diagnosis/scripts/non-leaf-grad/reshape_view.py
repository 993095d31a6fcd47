import torch

coords = torch.arange(6.0, requires_grad=True).view(3, 2)  # <- here
energy = coords.pow(2).sum()
energy.backward()
if coords.grad is None:
    print("no gradient")
