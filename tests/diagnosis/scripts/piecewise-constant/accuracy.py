import torch
from torch import nn

net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
opt = torch.optim.Adam(net.parameters())
x, y = torch.randn(10, 2), torch.randint(0, 2, (10, 1)).float()
acc = ((net(x) > 0).float() == y).float().mean()  # <- here
loss = 1 - acc
opt.zero_grad()
loss.backward()
opt.step()
