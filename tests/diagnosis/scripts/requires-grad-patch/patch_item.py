import torch
from torch import nn

net = nn.Linear(2, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(2):
    loss = torch.tensor(net(torch.rand(3, 2)).pow(2).mean().item())  # <- item
    loss.requires_grad = True  # <- here
    opt.zero_grad()
    loss.backward()
    opt.step()
