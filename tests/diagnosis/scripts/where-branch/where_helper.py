import torch


def sinc(x):
    return torch.where(x == 0, torch.ones_like(x), torch.sin(x) / x)  # <- here


x = torch.tensor([0.0, 0.5], requires_grad=True)
sinc(x).sum().backward()
