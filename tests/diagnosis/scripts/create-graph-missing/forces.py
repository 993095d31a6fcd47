import torch

pos = torch.rand(4, 3, requires_grad=True)
k = torch.tensor(1.0, requires_grad=True)
energy = k * (pos**2).sum()
energy.backward()  # <- here
forces = -pos.grad
loss = (forces - 1).pow(2).mean()
loss.backward()
