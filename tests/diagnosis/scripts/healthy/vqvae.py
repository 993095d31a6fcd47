import torch
from torch import nn

enc, dec = nn.Linear(4, 2), nn.Linear(2, 4)
book = nn.Embedding(8, 2)
opt = torch.optim.Adam([*enc.parameters(), *dec.parameters(), *book.parameters()])
for _ in range(3):
    x = torch.randn(6, 4)
    z = enc(x)
    idx = torch.cdist(z, book.weight).argmin(1)
    q = book(idx)
    loss = (q - z.detach()).pow(2).mean() + 0.25 * (z - q.detach()).pow(2).mean()
    q = z + (q - z).detach()
    loss = loss + (dec(q) - x).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
