import math

import torch
from torch import nn


class Coupling(nn.Module):
    def __init__(self, flip):
        super().__init__()
        self.net, self.flip = nn.Sequential(nn.Linear(1, 8), nn.ReLU(), nn.Linear(8, 2)), flip

    def forward(self, x):
        a, b = x.split(1, 1)
        if self.flip:
            a, b = b, a
        s, t = self.net(a).chunk(2, 1)
        s = torch.tanh(s)
        y = b * s.exp() + t
        return torch.cat([y, a] if self.flip else [a, y], 1), s.squeeze(1)


flow = nn.ModuleList([Coupling(i % 2) for i in range(4)])
opt = torch.optim.Adam(flow.parameters())
for _ in range(3):
    z, logdet = torch.randn(8, 2), torch.zeros(8)
    for layer in flow:
        z, ld = layer(z)
        logdet += ld
    loss = (0.5 * z.pow(2).sum(1) + math.log(2 * math.pi) - logdet).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
