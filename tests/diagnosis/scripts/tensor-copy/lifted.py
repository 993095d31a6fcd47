import torch

import apolar as ap


def f(x):
    return torch.tensor(x).pow(3).sum() * x.sum()  # <- here


ap.hessian(f)(torch.rand(3))
