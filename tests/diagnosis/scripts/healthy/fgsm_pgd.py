import torch
from torch import nn

net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)).eval()
x, y = torch.rand(5, 4), torch.randint(0, 3, (5,))
delta = torch.zeros_like(x).uniform_(-0.03, 0.03)
for _ in range(4):
    delta.requires_grad_(True)
    loss = nn.functional.cross_entropy(net(x + delta), y)
    (g,) = torch.autograd.grad(loss, delta)
    delta = (delta.detach() + 0.01 * g.sign()).clamp(-0.03, 0.03)
adv = torch.clamp(x + delta, 0, 1)
image = x.clone()
image.requires_grad = True
nn.functional.cross_entropy(net(image), y).backward()
perturbed = image + 0.1 * image.grad.sign()
