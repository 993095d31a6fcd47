import torch
from torch import nn

torch.manual_seed(0)
net = nn.Linear(2, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(2):
    penalty = 0.0
    for p in net.parameters():
        penalty += p.norm().item()  # <- here
    loss = net(torch.randn(4, 2)).pow(2).mean() + 0.1 * penalty
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
