import torch
from torch import nn

net = nn.Linear(2, 3)
table = torch.rand(3)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(2):
    i = net(torch.rand(4, 2)).argmax(1)  # <- here
    loss = (table[i] * torch.ones(4, requires_grad=True)).sum()
    opt.zero_grad()
    loss.backward()
    opt.step()
