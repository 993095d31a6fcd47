import torch
from torch import nn

torch.manual_seed(0)
net = nn.Linear(2, 2)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
steps = 5
loss = torch.zeros(())
for step in range(steps):
    beta = min(1.0, (step + 1) / steps)
    previous = loss.item()
    prediction = net(torch.randn(4, 2))
    loss = prediction.pow(2).mean()
    kl = prediction.abs().mean()
    weight = (loss / kl).detach()
    optimizer.zero_grad()
    (loss + beta * kl + weight * kl).backward()
    optimizer.step()
    lr = 0.1 / (1 + previous)
    for group in optimizer.param_groups:
        group["lr"] = lr
    loss = loss.item() * torch.ones(())
