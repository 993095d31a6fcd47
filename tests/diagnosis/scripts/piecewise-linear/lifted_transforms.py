import torch

import apolar as ap

W = torch.randn(3, 3)


def energy(x):
    return (x @ W).abs().sum()  # <- here


def hat(p):
    return torch.clamp(1 - p, min=0.0)  # <- here


print(ap.hessian(energy)(torch.randn(3)))
print(ap.laplacian(hat)(torch.rand(5, 2)))
print(ap.derivative(lambda x: torch.maximum(x, -x), order=2)(torch.rand(4)))  # <- here
