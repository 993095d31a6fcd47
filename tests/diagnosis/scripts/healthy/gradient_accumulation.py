import torch
from torch import nn

torch.manual_seed(0)
net = nn.Linear(3, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
k = 4
for step in range(12):
    loss = net(torch.randn(5, 3)).pow(2).mean() / k
    loss.backward()
    norm = sum(p.grad.norm() for p in net.parameters())
    if (step + 1) % k == 0:
        optimizer.step()
        optimizer.zero_grad()
