import torch
from torch import nn

torch.manual_seed(0)
layer = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)).double()
direction = layer.parametrizations.weight.original1
loss = layer(torch.rand(5, 3).double()).square().sum()  # <- here
(g,) = torch.autograd.grad(loss, direction, create_graph=True)
(hv,) = torch.autograd.grad((g * torch.ones_like(g)).sum(), direction)
