import torch
import torch.nn.functional as F
from torch import nn

net = nn.Linear(3, 4)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(3):
    y = F.gumbel_softmax(net(torch.randn(5, 3)), hard=True)
    opt.zero_grad()
    (y * torch.arange(4.0)).mean().backward()
    opt.step()
    hard = F.one_hot(y.argmax(-1), 4)
