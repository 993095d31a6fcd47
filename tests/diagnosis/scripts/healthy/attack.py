import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.BatchNorm1d(8), nn.Linear(8, 3))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
criterion = nn.CrossEntropyLoss()
for _ in range(3):
    x, y = torch.randn(6, 4), torch.randint(0, 3, (6,))
    x_adv = x.clone().detach().requires_grad_(True)
    g = torch.autograd.grad(criterion(net(x_adv), y), x_adv)[0]
    x_adv = x_adv + 0.1 * g.sign()
    optimizer.zero_grad()
    criterion(net(x_adv), y).backward()
    optimizer.step()
    delta = torch.zeros_like(x, requires_grad=True)
    for _ in range(3):
        loss = criterion(net(x + delta), y)
        loss.backward()
        delta.data = (delta + 0.1 * delta.grad.sign()).clamp(-0.3, 0.3)
        delta.grad.zero_()
