import torch
from torch import nn

G, D = nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 1))
og, od = torch.optim.SGD(G.parameters(), 0.1), torch.optim.SGD(D.parameters(), 0.1)
fake = G(torch.rand(3, 2))
score = D(fake)
od.zero_grad()
score.mean().backward(retain_graph=True)
od.step()  # <- here
og.zero_grad()
(-score.mean()).backward()
og.step()
