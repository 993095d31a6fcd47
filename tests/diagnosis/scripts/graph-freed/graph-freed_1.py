import torch

w = torch.randn(3, requires_grad=True)
pred = (w * 2).exp()
for target in (0.0, 1.0):
    loss = ((pred - target) ** 2).mean()
    loss.backward()  # <- here
