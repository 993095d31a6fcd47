import torch
from torch import nn

encoder, head = nn.Linear(2, 4), nn.Linear(4, 1)
optimizer = torch.optim.SGD([*encoder.parameters(), *head.parameters()], lr=0.1)


@torch.no_grad()  # <- here
def encode(x):
    return torch.tanh(encoder(x))


for _ in range(2):
    optimizer.zero_grad()
    head(encode(torch.randn(3, 2))).pow(2).mean().backward()
    optimizer.step()
