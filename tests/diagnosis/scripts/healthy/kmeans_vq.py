import torch
from torch import nn


class VQ(nn.Module):
    def __init__(self, k, d):
        super().__init__()
        self.codebook = nn.Embedding(k, d)

    def forward(self, z):
        dist = z.pow(2).sum(1, keepdim=True) - 2 * z @ self.codebook.weight.t() + self.codebook.weight.pow(2).sum(1)
        idx = dist.argmin(1)
        q = self.codebook(idx)
        loss = nn.functional.mse_loss(q, z.detach()) + 0.25 * nn.functional.mse_loss(q.detach(), z)
        q = z + (q - z).detach()
        perplexity = torch.exp(-(torch.bincount(idx, minlength=4) / len(idx)).clamp(min=1e-9).log().mean())
        return q, loss, perplexity


enc, dec, vq = nn.Linear(3, 2), nn.Linear(2, 3), VQ(4, 2)
opt = torch.optim.Adam([*enc.parameters(), *dec.parameters(), *vq.parameters()])
for _ in range(3):
    x = torch.randn(8, 3)
    q, vql, ppl = vq(enc(x))
    loss = nn.functional.mse_loss(dec(q), x) + vql
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(f"{loss.item():.3f} {ppl.item():.2f}")
