import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.used = nn.Linear(2, 1)
        self.extra = nn.Linear(2, 1)

    def forward(self, x):
        return self.used(x)


net = Net()
loss = net(torch.randn(3, 2)).pow(2).mean()
grads = torch.autograd.grad(loss, list(net.parameters()))  # <- here
