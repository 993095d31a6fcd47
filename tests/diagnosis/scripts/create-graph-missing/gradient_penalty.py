import torch
from torch import nn

critic = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
opt = torch.optim.Adam(critic.parameters())


def gradient_penalty(real, fake):
    eps = torch.rand(real.shape[0], 1)
    mixed = (eps * real + (1 - eps) * fake).requires_grad_(True)
    out = critic(mixed)
    ones = torch.ones_like(out)
    g = torch.autograd.grad(outputs=out, inputs=mixed, grad_outputs=ones, retain_graph=True)[0]  # <- here
    return ((g.norm(2, dim=1) - 1) ** 2).mean()


for _ in range(2):
    real, fake = torch.randn(6, 2), torch.randn(6, 2)
    loss = critic(fake).mean() - critic(real).mean() + 10 * gradient_penalty(real, fake)
    opt.zero_grad()
    loss.backward()
    opt.step()
