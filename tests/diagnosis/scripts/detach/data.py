import torch

x = torch.tensor(1.0, requires_grad=True)


def f(t):
    return t.data**2  # <- here


f(x).backward()
