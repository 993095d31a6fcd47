import torch
from torch import nn

net = nn.Embedding(5, 3)
tokens = torch.randint(0, 5, (4,))
out = net(tokens).sum()
g = torch.autograd.grad(out, tokens)  # <- nothing-requires-grad
