import torch
from torch import nn

net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)).eval()
x = torch.randn(5, 4, requires_grad=True)
score = net(x)
score[torch.arange(5), score.argmax(1)].sum().backward()
saliency = x.grad.abs()
x.grad = None
ig = torch.zeros(5, 4)
for a in torch.linspace(0, 1, 4):
    z = (a * x.detach()).requires_grad_(True)
    ig += torch.autograd.grad(net(z)[:, 0].sum(), z)[0]
attribution = ig * x.detach()
print(saliency, attribution)
