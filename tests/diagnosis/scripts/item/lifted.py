import math

import torch

import apolar as ap

dx, dy = ap.coordinates("x y")


def f(p):
    return torch.stack([x * math.sin(x) for x in p[:, 0]])  # <- here


ap.evaluate(f, torch.rand(5, 2), dx)
