import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.fc = nn.Linear(d, d)

    def forward(self, x):
        h = torch.sigmoid(self.fc(x))
        h += x  # <- here
        return h


net = nn.Sequential(Block(3), Block(3))
loss = net(torch.randn(4, 3)).sum()
try:
    loss.backward()
except RuntimeError:
    pass
