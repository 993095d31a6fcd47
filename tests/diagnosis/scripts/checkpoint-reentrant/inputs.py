import torch
import torch.utils.checkpoint
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(2, 8), nn.Linear(8, 1)

    def forward(self, x):
        h = torch.utils.checkpoint.checkpoint(self.body, x, use_reentrant=True)  # <- here
        return self.head(torch.tanh(h))


x = torch.rand(5, 2, requires_grad=True)
Net()(x).sum().backward(inputs=[x])
