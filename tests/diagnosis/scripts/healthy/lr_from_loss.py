import math

import torch
from torch import nn

net = nn.Linear(2, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for i in range(4):
    loss = net(torch.randn(4, 2)).abs().mean()
    opt.zero_grad()
    loss.backward()
    opt.param_groups[0]["lr"] = 0.1 * math.exp(-loss.item())
    opt.step()
    if math.isnan(loss.item()):
        raise SystemExit(1)
    bpd = loss.item() / math.log(2)
    print(f"{math.exp(min(loss.item(), 10)):.2f}", bpd)
