import torch
from torch import nn

first, second = nn.Linear(2, 2), nn.Linear(2, 1)
optimizer = torch.optim.SGD([*first.parameters(), *second.parameters()], lr=0.1)
h = second(torch.tanh(first(torch.randn(3, 2))))
a, b = h.mean(), h.pow(2).mean()
optimizer.zero_grad()
a.backward(retain_graph=True)
optimizer.step()  # <- here
b.backward()
