import torch

x = torch.rand(3, requires_grad=True)


def to_np(t):
    return t.numpy()  # <- here


to_np(x * 2)
