import torch
from torch.func import jacfwd


def displacement(k):
    stiffness = torch.stack([torch.stack([2 * k, -k]), torch.stack([-k, k])])
    return torch.linalg.solve(stiffness, torch.tensor([0.0, 1.0], dtype=k.dtype))  # <- here


print(jacfwd(jacfwd(displacement))(torch.tensor(3.0, dtype=torch.float64)))
