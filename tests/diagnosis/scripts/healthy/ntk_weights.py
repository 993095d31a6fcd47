import torch
from torch import nn

net = nn.Sequential(nn.Linear(1, 6), nn.Tanh(), nn.Linear(6, 1))
opt = torch.optim.Adam(net.parameters())
x = torch.linspace(0, 1, 5)[:, None]
for it in range(2):
    u = net(x)
    J = []
    for i in range(5):
        opt.zero_grad()
        u[i].backward(retain_graph=True)
        J.append(torch.cat([p.grad.view(-1) for p in net.parameters()]).detach().clone())
    K = torch.stack(J) @ torch.stack(J).T
    w = K.trace() / 5
    loss = w * (u - x).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
