from dataclasses import dataclass

import torch


@dataclass
class Config:
    weight_decay: float = 1e-3
    steps: int = 3


def l2(params):
    return sum(p.pow(2).sum() for p in params)


cfg = Config()
model = torch.nn.Linear(3, 1)
reg = cfg.weight_decay * l2(model.parameters())
opt = torch.optim.SGD(model.parameters(), lr=0.1)
X, Y = torch.randn(10, 3), torch.randn(10, 1)
for _ in range(cfg.steps):
    opt.zero_grad()
    total = torch.nn.functional.mse_loss(model(X), Y) + reg
    total.backward()  # <- here
    opt.step()
