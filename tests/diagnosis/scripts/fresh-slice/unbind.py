import torch


def wave(points):
    return torch.sin(points[:, 0]) * torch.cos(2 * points[:, 1])


pts = torch.rand(6, 2)
pts.requires_grad = True
u = wave(pts)
x, y = pts.unbind(dim=1)  # <- here
g = torch.autograd.grad(u.sum(), [x, y], allow_unused=True)
print(g)
