import torch
from torch import nn


class Sampler(nn.Module):
    def __init__(self):
        super().__init__()
        self.pos = nn.Parameter(torch.tensor([1.3, 2.7]))

    def forward(self, table):
        idx = self.pos.to(torch.int64)  # <- here
        return table[idx].sum()


s = Sampler()
out = s(torch.arange(5.0))
out.backward()
