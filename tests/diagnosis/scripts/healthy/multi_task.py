import torch
from torch import nn

trunk = nn.Linear(3, 4)
heads = nn.ModuleList(nn.Linear(4, 1) for _ in range(4))
opt = torch.optim.Adam([*trunk.parameters(), *heads.parameters()])
for _ in range(4):
    h = torch.relu(trunk(torch.randn(5, 3)))
    losses = [head(h).pow(2).mean() for head in heads]
    opt.zero_grad()
    for i, l in enumerate(losses):
        l.backward(retain_graph=i < 3)
    opt.step()
    weights = torch.tensor([l.item() for l in losses])
    print(weights / weights.sum(), sum(losses).item())
