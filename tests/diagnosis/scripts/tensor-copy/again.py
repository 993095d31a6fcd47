import torch
from torch import nn

net = nn.Linear(2, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)


def wrap(value):
    return torch.tensor(value, requires_grad=True)  # <- here


for _ in range(2):
    optimizer.zero_grad()
    loss = wrap(net(torch.randn(3, 2)).pow(2).mean())
    loss.backward()
    optimizer.step()
