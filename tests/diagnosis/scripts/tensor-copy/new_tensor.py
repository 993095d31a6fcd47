import torch
from torch import nn


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.g = nn.Parameter(torch.zeros(2))

    def forward(self, x):
        weights = torch.tensor(torch.softmax(self.g, 0))  # <- here
        return x @ weights


gate = Gate()
opt = torch.optim.SGD(gate.parameters(), lr=1.0)
gate(torch.randn(3, 2)).sum().backward()
