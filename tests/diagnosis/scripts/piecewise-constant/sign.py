import torch

x = torch.randn(3, requires_grad=True)
loss = (torch.sign(x) * torch.tensor([1.0, 2.0, 3.0])).sum()  # <- here
(g,) = torch.autograd.grad(loss, x)
