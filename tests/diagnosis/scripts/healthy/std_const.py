import torch
from torch import nn

w = nn.Parameter(torch.ones(5))
opt = torch.optim.SGD([w], 0.1)
loss = (w.std() - 0.5) ** 2
loss.backward()
opt.step()
