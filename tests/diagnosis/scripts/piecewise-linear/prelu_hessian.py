import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.act, self.b = nn.Linear(2, 6), nn.PReLU(), nn.Linear(6, 1)

    def forward(self, x):
        return self.b(self.act(self.a(x)))  # <- here


net = Net()
X = torch.rand(4, 2, requires_grad=True)
u = net(X)
g = torch.autograd.grad(u.sum(), X, create_graph=True)[0]
lap = 0
for i in range(2):
    lap = lap + torch.autograd.grad(g[:, i].sum(), X, create_graph=True)[0][:, i]
