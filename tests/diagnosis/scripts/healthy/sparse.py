import torch
from torch import nn

e = nn.Embedding(5, 2, sparse=True)
o = torch.optim.SparseAdam(e.parameters())
for _ in range(3):
    o.zero_grad()
    e(torch.tensor([1, 2])).pow(2).mean().backward()
    o.step()
