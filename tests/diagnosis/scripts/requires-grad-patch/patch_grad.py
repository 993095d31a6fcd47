import torch
from torch import nn

net = nn.Linear(2, 3)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(2):
    pred = net(torch.rand(4, 2)).argmax(1).float()  # <- piecewise-constant
    loss = nn.functional.mse_loss(pred, torch.ones(4))
    loss.requires_grad_(True)  # <- here
    opt.zero_grad()
    loss.backward()
    opt.step()
