import torch
from torch import nn

net = nn.Linear(4, 1)
opt = torch.optim.Adam(net.parameters())
accum = 4
opt.zero_grad()
for i in range(12):
    x, y = torch.randn(2, 4), torch.randn(2, 1)
    loss = nn.functional.smooth_l1_loss(net(x), y) / accum
    loss.backward()
    if (i + 1) % accum == 0:
        opt.step()
        opt.zero_grad()
