import torch
from torch import nn

net = nn.Linear(2, 1)
opt = torch.optim.SGD(net.parameters(), 0.1)
for phase in ["train", "val"]:
    with torch.set_grad_enabled(phase == "val"):  # <- here
        loss = net(torch.randn(4, 2)).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
