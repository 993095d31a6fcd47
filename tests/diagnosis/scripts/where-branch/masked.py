import torch
from torch import nn


class LogLoss(nn.Module):
    def forward(self, p, mask):
        ll = torch.log(p)  # <- here
        ll = ll.masked_fill(~mask, 0.0)
        return -ll.mean()


p = torch.tensor([0.0, 0.5, 0.7], requires_grad=True)
LogLoss()(p, p > 0).backward()
