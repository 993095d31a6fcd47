import torch

t = torch.arange(0, 5)
t.requires_grad_()  # <- here
