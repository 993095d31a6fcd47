import torch
from torch import nn

net = nn.Linear(1, 1)
opt = torch.optim.SGD(net.parameters(), 0.1)
preds = [net(torch.tensor([[float(i)]])).squeeze() for i in range(4)]
p = torch.as_tensor(preds)  # <- here
loss = (p - torch.arange(4.0)).pow(2).mean()
opt.zero_grad()
loss.backward()
