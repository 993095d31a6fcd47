import torch
from torch import nn

net = nn.Linear(2, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
pred = net(torch.rand(4, 2)).long()  # <- here
loss = nn.functional.l1_loss(pred.float(), torch.ones(4, 1))
loss.backward()
