import torch
from torch import nn

encoder = nn.Linear(3, 4)
heads = [nn.Linear(4, 1) for _ in range(5)]
optimizer = torch.optim.SGD([*encoder.parameters(), *(p for h in heads for p in h.parameters())], lr=0.1)
for _ in range(5):
    optimizer.zero_grad()
    features = torch.tanh(encoder(torch.randn(6, 3)))
    for head in heads:
        head(features).pow(2).mean().backward(retain_graph=True)
    optimizer.step()
h = encoder(torch.randn(2, 3))
h.retain_grad()
h.pow(2).sum().backward()
print(h.grad)
