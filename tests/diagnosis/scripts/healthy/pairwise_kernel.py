import torch
from torch import nn

Z = nn.Parameter(torch.randn(5))
opt = torch.optim.Adam([Z])
for _ in range(3):
    col = Z.unsqueeze(1)
    row = Z.unsqueeze(0)
    K = torch.exp(-((col - row) ** 2))
    d = Z[:, None] - torch.linspace(0, 1, 5)[None, :]
    soft = d.abs().softmax(-1)
    loss = K.sum() + (soft * d**2).sum()
    opt.zero_grad()
    loss.backward()
    opt.step()
