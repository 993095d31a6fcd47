import torch

energy = lambda x: (x**2).sum() + torch.cos(3 * x).sum()
x = torch.randn(10, 2)
for _ in range(5):
    x.requires_grad_(True)
    g = torch.autograd.grad(energy(x), x)[0]
    x = (x - 0.1 * g + 0.1 * torch.randn_like(x)).detach()
y = torch.randn(3, requires_grad=True)
for _ in range(4):
    e = energy(y)
    e.backward()
    with torch.no_grad():
        y.add_(y.grad, alpha=-0.1)
    y.grad = None
