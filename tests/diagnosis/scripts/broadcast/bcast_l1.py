import torch
from torch import nn

net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))


def loss_fn(x, y):
    e = y - net(x)  # <- here
    return torch.mean(e**2)


loss_fn(torch.rand(5, 3), torch.rand(5)).backward()
