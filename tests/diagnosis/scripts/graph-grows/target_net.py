import copy

import torch
from torch import nn

net = nn.Linear(2, 1)
avg = copy.deepcopy(net)
state = {k: v for k, v in avg.named_parameters()}
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for i in range(7):
    loss = net(torch.randn(4, 2)).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    for k, p in net.named_parameters():
        state[k] = 0.99 * state[k] + 0.01 * p  # <- here
