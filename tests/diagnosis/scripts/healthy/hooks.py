import torch
from torch import nn

n = nn.Linear(2, 2)
feats = []
n.register_forward_hook(lambda m, i, o: feats.append(o.detach().mean().item()))
n.register_full_backward_hook(lambda m, gi, go: feats.append(go[0].norm().item()))
for _ in range(3):
    n.zero_grad()
    n(torch.randn(3, 2, requires_grad=True)).pow(2).sum().backward()
