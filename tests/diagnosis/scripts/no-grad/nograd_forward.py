import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(2, 3)
        self.b = nn.Linear(3, 1)

    def forward(self, x):
        with torch.no_grad():  # <- here
            h = torch.relu(self.a(x))
        return self.b(h)


net = Net()
opt = torch.optim.Adam(net.parameters())
for _ in range(2):
    opt.zero_grad()
    net(torch.rand(4, 2)).pow(2).mean().backward()
    opt.step()
for n, p in net.named_parameters():
    print(n, p.grad is None)
