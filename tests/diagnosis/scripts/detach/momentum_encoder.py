import torch
from torch import nn

q, k = nn.Linear(4, 3), nn.Linear(4, 3)
head = nn.Linear(3, 2)
opt = torch.optim.SGD([*q.parameters(), *head.parameters()], lr=0.1)


def encode(x):
    feats = nn.functional.normalize(q(x), dim=1)
    return feats.clone().detach()  # <- here


for _ in range(2):
    loss = nn.functional.cross_entropy(head(encode(torch.randn(5, 4))), torch.randint(0, 2, (5,)))
    opt.zero_grad()
    loss.backward()
    opt.step()
