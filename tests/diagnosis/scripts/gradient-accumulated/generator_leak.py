import torch
from torch import nn

G, D = nn.Linear(2, 2), nn.Linear(2, 1)
og, od = torch.optim.SGD(G.parameters(), 0.1), torch.optim.SGD(D.parameters(), 0.1)
for _ in range(3):
    z = torch.randn(4, 2)
    d_loss = nn.functional.softplus(D(G(z).detach())).mean() + nn.functional.softplus(-D(torch.randn(4, 2))).mean()
    d_loss.backward()  # <- here
    od.step()
    g_loss = nn.functional.softplus(-D(G(z))).mean()
    og.zero_grad()
    g_loss.backward()
    og.step()
