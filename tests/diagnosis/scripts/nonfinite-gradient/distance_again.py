import torch


def pairwise(x):
    d = x[:, None, :] - x[None, :, :]
    return torch.sqrt((d**2).sum(-1))  # <- here


x = torch.randn(4, 2, requires_grad=True)
pairwise(x).sum().backward()
print(x.grad)
