import torch
from torch import nn

torch.manual_seed(0)
q = nn.Linear(4, 4)
x = torch.randn(1, 5, 4)
scores = q(x) @ x.transpose(1, 2)
mask = torch.triu(torch.ones(5, 5, dtype=torch.bool), 1)
weights = torch.softmax(scores.masked_fill(mask, float("-inf")), -1)
(weights @ x).pow(2).mean().backward()
z = torch.tensor([0.0, 4.0], requires_grad=True)
safe = torch.where(z > 0, z, torch.ones_like(z))
torch.where(z > 0, torch.sqrt(safe), torch.zeros_like(z)).sum().backward()
torch.sqrt(z.clamp(min=1e-12)).sum().backward()
log_mask = torch.log((torch.rand(5) > 0.5).float())
torch.softmax(torch.randn(5, requires_grad=True) + torch.cat([torch.zeros(1), log_mask[1:]]), 0).pow(2).sum().backward()
