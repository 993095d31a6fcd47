import torch
from torch import nn

mu, sigma = nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(3))
opt = torch.optim.SGD([mu, sigma], lr=0.1)
y = torch.randn(3)
nll = (0.5 * ((y - mu) / sigma) ** 2 + sigma.log()).mean()  # <- here
nll.backward()
