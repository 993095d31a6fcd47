import torch

w = torch.rand(3, requires_grad=True)


def project(p):
    p.clamp_(0, 1)  # <- here


project(w)
