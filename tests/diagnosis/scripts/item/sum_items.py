import torch
from torch import nn

net = nn.Linear(2, 1)
opt = torch.optim.Adam(net.parameters())
x = torch.randn(5, 2)
norm = sum(p.norm().item() for p in net.parameters())  # <- here
loss = net(x).pow(2).mean() + 0.1 * norm
opt.zero_grad()
loss.backward()
opt.step()
