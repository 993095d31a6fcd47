import torch
from torch import nn

net = nn.Linear(2, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
avg = torch.tensor(0.0)
for i in range(8):
    loss = net(torch.rand(3, 2)).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    avg = 0.9 * avg + 0.1 * loss  # <- here
