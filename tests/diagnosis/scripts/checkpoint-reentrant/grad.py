import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

block = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
x = torch.rand(5, 2, requires_grad=True)
u = checkpoint(block, x, use_reentrant=True)  # <- here
g = torch.autograd.grad(u.sum(), x, create_graph=True)[0]
