import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
for step in range(5):
    x = torch.rand(20, 1).requires_grad_()
    t = torch.rand(20, 1).requires_grad_()
    u = net(torch.cat([x, t], 1))
    u_x, u_t = torch.autograd.grad(u.sum(), (x, t), create_graph=True)
    u_xx = torch.autograd.grad(u_x, x, torch.ones_like(u_x), create_graph=True)[0]
    residual = u_t + u * u_x - 0.01 * u_xx
    boundary = net(torch.cat([torch.zeros(5, 1), torch.rand(5, 1)], 1)).pow(2).mean()
    loss = residual.pow(2).mean() + boundary
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 2 == 0:
        print(step, loss.item(), residual.detach().abs().max().item(), u_x.detach().numpy().mean())
