import torch
from torch import nn

net = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
H = torch.autograd.functional.hessian(lambda x: net(x).sum(), torch.rand(2))  # <- here
