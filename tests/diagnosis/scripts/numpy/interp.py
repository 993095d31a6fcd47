import numpy as np
import torch

x = torch.linspace(0, 1, 6, requires_grad=True)


def lookup(q):
    grid = np.linspace(0, 1, 20)
    vals = np.sin(grid)
    return torch.from_numpy(np.interp(q.detach().numpy(), grid, vals))  # <- numpy


y = lookup(x)
y.sum().backward()
