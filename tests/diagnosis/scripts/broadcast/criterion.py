import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
criterion = nn.MSELoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(2):
    x = torch.rand(6, 2)
    y = x.sum(1)
    optimizer.zero_grad()
    loss = criterion(net(x), y)  # <- here
    loss.backward()
    optimizer.step()
