import math

import torch


class RBF(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.log_l = torch.nn.Parameter(torch.tensor(0.1))

    def forward(self, x):
        l = math.exp(self.log_l)  # <- here
        return torch.exp(-((x[:, None] - x[None]) ** 2) / (2 * l**2))


k = RBF()
opt = torch.optim.Adam(k.parameters())
K = k(torch.linspace(0, 1, 5))
loss = K.logdet() if False else K.sum()
loss.backward()
