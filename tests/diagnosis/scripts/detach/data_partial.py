import torch
from torch import nn

enc, dec = nn.Linear(2, 2), nn.Linear(2, 2)
opt = torch.optim.SGD(list(enc.parameters()) + list(dec.parameters()), lr=0.1)


def step(x):
    z = enc(x)
    return dec(z.data)  # <- here


for _ in range(3):
    opt.zero_grad()
    l = (step(torch.rand(3, 2)) ** 2).mean()
    l.backward()
    opt.step()
