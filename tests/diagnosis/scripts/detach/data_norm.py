import torch
from torch import nn


class Normalise(nn.Module):
    def forward(self, x):
        return x.data / x.data.norm()  # <- here


x = torch.randn(4, requires_grad=True)
out = Normalise()(x).sum()
out.backward()
