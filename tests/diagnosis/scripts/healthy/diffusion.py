import torch
from torch import nn

T = 10
betas = torch.linspace(1e-4, 0.02, T)
abar = torch.cumprod(1 - betas, 0)
net = nn.Sequential(nn.Linear(3, 16), nn.SiLU(), nn.Linear(16, 2))
ema = {k: v.clone() for k, v in net.state_dict().items()}
opt = torch.optim.AdamW(net.parameters())
for _ in range(3):
    x0 = torch.randn(5, 2)
    t = torch.randint(0, T, (5,))
    eps = torch.randn_like(x0)
    xt = abar[t].sqrt()[:, None] * x0 + (1 - abar[t]).sqrt()[:, None] * eps
    loss = nn.functional.mse_loss(net(torch.cat([xt, t[:, None] / T], 1)), eps)
    opt.zero_grad()
    loss.backward()
    opt.step()
    for k, v in net.state_dict().items():
        ema[k].mul_(0.9).add_(v, alpha=0.1)
with torch.no_grad():
    x = torch.randn(4, 2)
    for i in reversed(range(T)):
        e = net(torch.cat([x, torch.full((4, 1), i / T)], 1))
        x = (x - betas[i] / (1 - abar[i]).sqrt() * e) / (1 - betas[i]).sqrt()
