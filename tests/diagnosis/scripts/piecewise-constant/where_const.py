import torch
from torch import nn

net = nn.Linear(2, 1)
opt = torch.optim.SGD(net.parameters(), 0.1)
out = net(torch.randn(5, 2)).squeeze(1)
spikes = torch.where(out > 0, 1.0, 0.0)  # <- here
loss = spikes.mean()
opt.zero_grad()
loss.backward()
