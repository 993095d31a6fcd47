import torch
from torch import nn

net = nn.Sequential(nn.Linear(1, 5), nn.Tanh(), nn.Linear(5, 1))
x = torch.rand(8, 1)
opt = torch.optim.LBFGS(net.parameters(), max_iter=3)
loss = (net(x) - x.sin()).pow(2).mean()


def closure():
    opt.zero_grad()
    loss.backward()  # <- here
    return loss


opt.step(closure)
