import torch


def lj(pos):
    n = len(pos)
    i, j = torch.triu_indices(n, n, offset=1)
    r = (pos[i] - pos[j]).norm(dim=1)
    return (4 * (r**-12 - r**-6)).sum()


pos = torch.tensor([[0.0, 0.0], [1.2, 0.0], [0.0, 1.3]])
vel = torch.zeros_like(pos)
dt = 1e-3
energies = []


def force(pos):
    pos = pos.detach().requires_grad_(True)
    e = lj(pos)
    return -torch.autograd.grad(e, pos)[0], e.item()


f, _ = force(pos)
for _ in range(5):
    vel = vel + 0.5 * dt * f
    pos = pos + dt * vel
    f, e = force(pos)
    vel = vel + 0.5 * dt * f
    energies.append(e + 0.5 * (vel**2).sum().item())
print(max(energies) - min(energies))
