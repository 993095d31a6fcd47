import torch
from torch import nn


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc, self.dec = nn.Linear(6, 4), nn.Linear(2, 6)
        self.beta = 0.0

    def forward(self, x):
        mu, logvar = self.enc(x).chunk(2, dim=-1)
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp()
        return self.dec(z), mu, logvar


m = VAE()
opt = torch.optim.Adam(m.parameters())
for e in range(4):
    x = torch.rand(7, 6)
    rec, mu, lv = m(x)
    bce = nn.functional.binary_cross_entropy_with_logits(rec, x, reduction="sum") / len(x)
    kl = -0.5 * (1 + lv - mu.pow(2) - lv.exp()).sum(1).mean()
    loss = bce + m.beta * kl
    opt.zero_grad()
    loss.backward()
    opt.step()
    m.beta = min(1.0, m.beta + 0.25)
    if kl.item() < 0.01:
        m.beta *= 0.5
