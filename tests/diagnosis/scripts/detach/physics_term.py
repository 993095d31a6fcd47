import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
x = torch.rand(10, 1)
data_loss = (net(x) - 1).pow(2).mean()
physics_loss = net(x).pow(2).mean().detach()  # <- here
loss = data_loss + 0.1 * physics_loss
loss.backward()
