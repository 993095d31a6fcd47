import torch
from torch import nn

net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 3))
X, u_obs = torch.rand(6, 2), torch.rand(6)
opt = torch.optim.Adam(net.parameters())
out = net(X)
u, v, p = out[:, 0:1], out[:, 1:2], out[:, 2:3]
loss = torch.mean((u - u_obs) ** 2)  # <- here
opt.zero_grad()
loss.backward()
opt.step()
