import torch

x = torch.tensor([0.0, 1.0], requires_grad=True)
entropy = -(x * torch.log(x)).sum()  # <- here
entropy.backward()
