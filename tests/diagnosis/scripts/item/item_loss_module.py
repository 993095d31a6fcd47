import torch
from torch import nn


class Penalised(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x, y):
        mse = nn.functional.mse_loss(self.net(x), y)
        reg = sum(float(p.pow(2).sum()) for p in self.net.parameters())  # <- here
        return mse + 0.01 * reg


net = nn.Linear(2, 1)
crit = Penalised(net)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(2):
    loss = crit(torch.randn(4, 2), torch.randn(4, 1))
    opt.zero_grad()
    loss.backward()
    opt.step()
