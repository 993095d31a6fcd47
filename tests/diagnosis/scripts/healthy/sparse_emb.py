import torch
from torch import nn

emb = nn.EmbeddingBag(10, 3, sparse=True)
opt = torch.optim.SparseAdam(list(emb.parameters()))
for _ in range(3):
    out = emb(torch.randint(0, 10, (8,)), torch.tensor([0, 4]))
    loss = out.pow(2).sum()
    opt.zero_grad()
    loss.backward()
    opt.step()
