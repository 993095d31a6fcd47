import torch
from torch import nn

net = nn.Linear(3, 3)
opt = torch.optim.SGD(net.parameters(), 0.1)
x, y = torch.randn(6, 3), torch.randint(0, 3, (6,))
pred = net(x).argmax(1)  # <- piecewise-constant
loss = (pred != y).float().mean()
loss.requires_grad_(True)  # <- here
opt.zero_grad()
loss.backward()
opt.step()
