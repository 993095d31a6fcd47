import torch
from torch import nn

net = nn.Linear(2, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
best, patience, temperature = float("inf"), 0, 1.0
for epoch in range(5):
    out = net(torch.randn(8, 2))
    loss = (out / temperature).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    value = loss.item()
    if value < best:
        best, patience = value, 0
    else:
        patience += 1
    if patience > 2:
        temperature = temperature * 0.5
    loss = value
    smooth = 0.5 * loss
