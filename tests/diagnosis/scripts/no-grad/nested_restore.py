import torch
from torch import nn


class Trainer:
    def __init__(self):
        self.net = nn.Linear(2, 1)

    def run(self):
        with torch.no_grad():  # <- here
            self.net.reset_parameters()
            out = self.net(torch.ones(1, 2))
        out.sum().backward()


Trainer().run()
