import torch
from torch import nn

gate, experts = nn.Linear(3, 4), nn.ModuleList(nn.Linear(3, 2) for _ in range(4))
opt = torch.optim.Adam([*gate.parameters(), *experts.parameters()])
for _ in range(3):
    x = torch.randn(6, 3)
    w, idx = torch.softmax(gate(x), -1).topk(2)
    out = sum(w[:, k : k + 1] * torch.stack([experts[int(i)](v) for i, v in zip(idx[:, k], x)]) for k in range(2))
    opt.zero_grad()
    out.pow(2).mean().backward()
    opt.step()
