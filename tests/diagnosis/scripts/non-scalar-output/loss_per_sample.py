import torch
from torch import nn

net = nn.Linear(2, 2)
criterion = nn.MSELoss(reduction="none")


class Trainer:
    def __init__(self, net):
        self.net = net

    def step(self, x, y):
        loss = criterion(self.net(x), y)
        return torch.autograd.grad(loss, list(self.net.parameters()))  # <- here


Trainer(net).step(torch.randn(4, 2), torch.randn(4, 2))
