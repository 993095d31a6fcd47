import torch
from torch import nn


class C(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.rand(3))
        self.cached = torch.softmax(self.w, 0)

    def forward(self, x):
        return (self.cached * x).sum()


c = C()
opt = torch.optim.SGD(c.parameters(), lr=0.1)
for _ in range(2):
    l = c(torch.rand(3))
    opt.zero_grad()
    l.backward()  # <- here
    opt.step()
