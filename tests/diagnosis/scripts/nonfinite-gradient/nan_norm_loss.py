import torch
from torch import nn

emb = nn.Embedding(4, 3)
i = torch.tensor([0, 1])
j = torch.tensor([0, 2])
d = torch.sqrt(((emb(i) - emb(j)) ** 2).sum(1))  # <- here
d.mean().backward()
