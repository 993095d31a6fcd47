import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(1, 4, 3)
        self.b = nn.BatchNorm2d(4)
        self.f = nn.Linear(4, 3)

    def forward(self, x):
        x = torch.max_pool2d(torch.relu(self.b(self.c(x))), 2)
        return torch.log_softmax(self.f(x.mean((2, 3))), 1)


net = Net()
opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)


def accuracy(out, y):
    return (out.max(1)[1] == y).float().mean()


meter = {"loss": 0.0, "acc": 0.0, "n": 0}
for ep in range(3):
    x, y = torch.randn(6, 1, 8, 8), torch.randint(0, 3, (6,))
    out = net(x)
    loss = nn.functional.nll_loss(out, y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    meter["loss"] += loss.item() * len(x)
    meter["acc"] += float(accuracy(out, y))
    meter["n"] += len(x)
    print(f"loss {meter['loss'] / meter['n']:.3f}")
