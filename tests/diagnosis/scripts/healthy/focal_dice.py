import torch
from torch import nn


def dice(p, t, eps=1.0):
    inter = (p * t).sum((1, 2))
    return 1 - ((2 * inter + eps) / (p.sum((1, 2)) + t.sum((1, 2)) + eps)).mean()


def focal(logit, t, gamma=2.0):
    bce = nn.functional.binary_cross_entropy_with_logits(logit, t, reduction="none")
    pt = torch.exp(-bce)
    return ((1 - pt) ** gamma * bce).mean()


unet = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Conv2d(4, 1, 1))
opt = torch.optim.Adam(unet.parameters())
sched = torch.optim.lr_scheduler.OneCycleLR(opt, max_lr=1e-2, total_steps=3)
for _ in range(3):
    x, t = torch.randn(2, 1, 8, 8), (torch.rand(2, 8, 8) > 0.5).float()
    logit = unet(x).squeeze(1)
    loss = focal(logit, t) + dice(torch.sigmoid(logit), t)
    opt.zero_grad()
    loss.backward()
    opt.step()
    sched.step()
    iou = ((logit > 0) & (t > 0.5)).sum().item() / max(1, ((logit > 0) | (t > 0.5)).sum().item())
