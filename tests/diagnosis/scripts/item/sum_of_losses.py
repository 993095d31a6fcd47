import torch
from torch import nn

net = nn.Linear(3, 1)
opt = torch.optim.Adam(net.parameters())
total = 0.0
for x, y in zip(torch.randn(4, 5, 3), torch.randn(4, 5, 1)):
    total += nn.functional.mse_loss(net(x), y).item()  # <- here
opt.zero_grad()
loss = torch.tensor(total, requires_grad=True)
loss.backward()
opt.step()
