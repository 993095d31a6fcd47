import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(2, 4)
        self.h = None

    def forward(self, x):
        out, self.h = self.rnn(x, self.h)  # <- here
        return out


net = Net()
opt = torch.optim.SGD(net.parameters(), lr=1e-9)
for i in range(6):
    for p in net.parameters():
        p.grad = None
    loss = net(torch.rand(3, 1, 2)).mean()
    loss.backward(retain_graph=True)
