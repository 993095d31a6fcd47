import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(3)).double()  # <- here

    def forward(self, x):
        return x @ self.w


m = Model()
loss = m(torch.randn(4, 3, dtype=torch.float64)).pow(2).mean()
loss.backward()
print(m.w.grad)
