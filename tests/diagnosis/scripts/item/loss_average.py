import torch
from torch import nn


class Regulariser:
    def __init__(self, model, lam):
        self.model, self.lam = model, lam

    def __call__(self):
        reg = 0.0
        for p in self.model.parameters():
            reg += float((p**2).sum())  # <- here
        return self.lam * reg


m = nn.Linear(2, 1)
reg = Regulariser(m, 1e-2)
opt = torch.optim.SGD(m.parameters(), 0.1)
for _ in range(2):
    loss = nn.functional.mse_loss(m(torch.randn(4, 2)), torch.randn(4, 1)) + reg()
    opt.zero_grad()
    loss.backward()
    opt.step()
