import torch


@torch.enable_grad()
def energy_grad(energy, pos):
    e = energy(pos)
    return torch.autograd.grad(e.sum(), pos)[0]  # <- here


energy_grad(lambda p: (p**2).sum(-1), torch.randn(4, 3))
