import torch
from torch import nn

net = nn.Sequential(nn.Linear(8, 16), nn.SiLU(), nn.Linear(16, 2))
opt = torch.optim.AdamW(net.parameters())
scaler = torch.amp.GradScaler("cpu", enabled=True)
for _ in range(3):
    x, y = torch.randn(5, 8), torch.randint(0, 2, (5,))
    opt.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = nn.functional.cross_entropy(net(x), y)
    scaler.scale(loss).backward()
    scaler.unscale_(opt)
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    scaler.step(opt)
    scaler.update()
