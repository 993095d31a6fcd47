import torch
from torch import nn

data = torch.rand(20, 3) * 10
lo, hi = data.min().item(), data.max().item()
mean, std = float(data.mean()), data.std().item()
x = (data - lo) / (hi - lo)
z = (data - mean) / std
net = nn.Linear(3, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.01)
for i in range(3):
    w = len(data) / 20
    loss = w * net(z).pow(2).mean() * lo
    opt.zero_grad()
    loss.backward()
    opt.step()
pred = net(x).detach().numpy()
import numpy as np

rmse = np.sqrt(((pred - 1) ** 2).mean())
print(rmse)
t = torch.from_numpy(pred)
print(t.mean())
