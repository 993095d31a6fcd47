import torch
from torch import nn

net = nn.Linear(2, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
x, y = torch.randn(8, 2), torch.randn(8, 1)
for epoch in range(2):
    torch.set_grad_enabled(True)
    opt.zero_grad()
    nn.functional.mse_loss(net(x), y).backward()
    opt.step()
torch.set_grad_enabled(False)  # <- here
val = nn.functional.mse_loss(net(x), y)
try:
    val.backward()
finally:
    torch.set_grad_enabled(True)
