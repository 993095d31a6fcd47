import torch

import apolar as ap

dx, dy = ap.coordinates("x y")


def stairs(p):
    return torch.round(4 * p[:, :1])  # <- here


def added(p):
    return torch.tanh(p) + torch.floor(p)  # <- here


ap.evaluate(stairs, torch.rand(5, 2), dx)
ap.laplacian(added)(torch.rand(5, 2))
