import torch


def var(x):
    return (x**2).mean() - x.mean() ** 2  # <- here


x = (torch.tensor([1000.0, 1000.1, 1000.2])).requires_grad_()
var(x).backward()
