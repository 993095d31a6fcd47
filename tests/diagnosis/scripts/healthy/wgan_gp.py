import torch
from torch import nn

G = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
D = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
og, od = torch.optim.RMSprop(G.parameters()), torch.optim.RMSprop(D.parameters())
for it in range(4):
    for _ in range(2):
        real, z = torch.randn(6, 2), torch.randn(6, 4)
        fake = G(z).detach()
        eps = torch.rand(6, 1)
        mix = (eps * real + (1 - eps) * fake).requires_grad_(True)
        out = D(mix)
        (g,) = torch.autograd.grad(
            out, mix, torch.ones_like(out), create_graph=True, retain_graph=True, only_inputs=True
        )
        gp = ((g.view(6, -1).norm(2, dim=1) - 1) ** 2).mean()
        ld = D(fake).mean() - D(real).mean() + 10 * gp
        od.zero_grad()
        ld.backward()
        od.step()
    lg = -D(G(torch.randn(6, 4))).mean()
    og.zero_grad()
    lg.backward()
    og.step()
    print(it, ld.item(), lg.item(), float(gp))
