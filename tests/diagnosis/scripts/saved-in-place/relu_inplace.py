import torch
from torch import nn

x = torch.randn(2, 3)
fc = nn.Linear(3, 3)
h = torch.sigmoid(fc(x))
out = torch.relu_(h.sub_(0.5))  # <- here
out.sum().backward()
