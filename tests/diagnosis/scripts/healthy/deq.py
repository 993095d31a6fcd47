import torch
from torch import nn


class DEQ(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.w, self.u = nn.Linear(d, d), nn.Linear(d, d)
        nn.init.uniform_(self.w.weight, -0.1, 0.1)

    def f(self, z, x):
        return torch.tanh(self.w(z) + self.u(x))

    def forward(self, x):
        with torch.no_grad():
            z = torch.zeros_like(x)
            for _ in range(10):
                z = self.f(z, x)
        z = self.f(z, x)
        z0 = z.clone().detach().requires_grad_()
        f0 = self.f(z0, x)

        def hook(g):
            v = g
            for _ in range(5):
                v = torch.autograd.grad(f0, z0, v, retain_graph=True)[0] + g
            return v

        if z.requires_grad:
            z.register_hook(hook)
        return z


m = DEQ(3)
opt = torch.optim.Adam(m.parameters())
for _ in range(2):
    loss = m(torch.randn(4, 3)).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
