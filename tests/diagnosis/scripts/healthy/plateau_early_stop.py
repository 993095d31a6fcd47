import copy

import torch
from torch import nn


class EarlyStopping:
    def __init__(self, patience=2, min_delta=0.0):
        self.patience, self.min_delta, self.counter, self.best, self.state = patience, min_delta, 0, None, None

    def __call__(self, value, model):
        if self.best is None or value < self.best - self.min_delta:
            self.best, self.counter, self.state = value, 0, copy.deepcopy(model.state_dict())
        else:
            self.counter += 1
        return self.counter >= self.patience


x = torch.linspace(-1, 1, 20)[:, None]
y = torch.sin(3 * x) + 0.1 * torch.randn_like(x)
y = (y - y.mean()) / y.std()
net = nn.Sequential(nn.Linear(1, 16), nn.ReLU(), nn.Linear(16, 1))
opt = torch.optim.AdamW(net.parameters(), lr=1e-2, weight_decay=1e-4)
sched = torch.optim.lr_scheduler.ReduceLROnPlateau(opt, patience=1)
stop = EarlyStopping()
history = []
for epoch in range(6):
    opt.zero_grad()
    loss = nn.functional.mse_loss(net(x), y)
    loss.backward()
    opt.step()
    with torch.no_grad():
        val = nn.functional.mse_loss(net(x), y)
    sched.step(val)
    history.append(float(val))
    if stop(val.item(), net):
        break
