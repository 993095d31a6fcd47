import torch
from torch import nn

net = nn.Sequential(nn.Linear(3, 8), nn.GELU(), nn.Dropout(0.1), nn.Linear(8, 1))
opt = torch.optim.AdamW(net.parameters())
sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 10)
log = []
for i in range(4):
    loss = nn.functional.huber_loss(net(torch.randn(8, 3)), torch.randn(8, 1))
    opt.zero_grad()
    loss.backward()
    total = 0.0
    for n, p in net.named_parameters():
        if p.grad is not None:
            total += p.grad.detach().data.norm(2).item() ** 2
    log.append({"loss": loss.item(), "norm": total**0.5, "lr": sched.get_last_lr()[0]})
    opt.step()
    sched.step()
print(log)
