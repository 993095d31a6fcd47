import torch

x = torch.tensor([1.0, 200.0], requires_grad=True)
soft = torch.where(x > 20, x, torch.log1p(torch.exp(x.clamp(max=20))))
soft.sum().backward()
y = torch.sigmoid(torch.tensor([-200.0, 3.0], requires_grad=True))
(1 / (1 + torch.exp(-x))).sum().backward()
