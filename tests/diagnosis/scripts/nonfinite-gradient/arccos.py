import torch


def angle(a, b):
    cos = (a * b).sum(-1) / (a.norm(dim=-1) * b.norm(dim=-1))
    return torch.acos(cos.clamp(-1, 1))  # <- here


a = torch.tensor([[1.0, 0.0]], requires_grad=True)
angle(a, torch.tensor([[1.0, 0.0]])).sum().backward()
