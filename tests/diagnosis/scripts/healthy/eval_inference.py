import torch
from torch import nn

net = nn.Linear(2, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)


@torch.inference_mode()
def evaluate():
    return net(torch.randn(4, 2)).mean()


@torch.no_grad()
def predict(x):
    return net(x)


for _ in range(3):
    loss = net(torch.randn(4, 2)).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(evaluate().item(), predict(torch.ones(1, 2)))
