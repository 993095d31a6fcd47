import torch
from torch import nn

net = nn.Linear(2, 1)
opt = torch.optim.SGD(net.parameters(), 0.1)
loss = net(torch.randn(3, 2)).pow(2).mean()
loss = torch.tensor(loss, requires_grad=True)  # <- here
opt.zero_grad()
loss.backward()
opt.step()
