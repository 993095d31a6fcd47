import torch

a = torch.tensor(0.3, requires_grad=True)
R = lambda t: torch.tensor([[torch.cos(t), -torch.sin(t)], [torch.sin(t), torch.cos(t)]])  # <- here
p = R(a) @ torch.ones(2)
p.sum().backward()
