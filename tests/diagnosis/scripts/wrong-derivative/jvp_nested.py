import torch
from torch.func import jvp


def logdet(s):
    A = torch.stack([torch.stack([2 + s, s**2]), torch.stack([s, 1 + s**3])])
    return torch.linalg.det(A)  # <- here


def first(s):
    return jvp(logdet, (s,), (torch.ones_like(s),))[1]


s = torch.tensor(0.3, dtype=torch.float64)
print(jvp(first, (s,), (torch.ones_like(s),))[1])
