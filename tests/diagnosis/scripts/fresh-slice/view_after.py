import torch

params = torch.randn(6, requires_grad=True)
loss = (params**3).sum()
w = params.view(2, 3)  # <- here
(dw,) = torch.autograd.grad(loss, w)
