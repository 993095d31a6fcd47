import argparse
import logging
import os
import tempfile

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

logging.basicConfig(level=logging.INFO)
log = logging.getLogger(__name__)


class Digits(Dataset):
    def __init__(self, n):
        rng = np.random.default_rng(0)
        self.x = rng.normal(size=(n, 1, 8, 8)).astype(np.float32)
        self.y = rng.integers(0, 3, size=n)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return torch.from_numpy(self.x[i]), torch.tensor(self.y[i], dtype=torch.long)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.bn = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.2)
        self.fc = nn.Linear(36, 3)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn(self.conv(x))), 2)
        return F.log_softmax(self.fc(self.drop(torch.flatten(x, 1))), dim=1)


class AverageMeter:
    def __init__(self):
        self.sum, self.count = 0.0, 0

    def update(self, val, n=1):
        self.sum += val * n
        self.count += n

    @property
    def avg(self):
        return self.sum / max(self.count, 1)


def train(model, loader, optimizer, epoch):
    model.train()
    meter = AverageMeter()
    for i, (x, y) in enumerate(loader):
        x, y = x.to("cpu"), y.to("cpu")
        optimizer.zero_grad(set_to_none=True)
        loss = F.nll_loss(model(x), y)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        meter.update(loss.item(), x.size(0))
        if i % 2 == 0:
            log.debug("epoch %d loss %.4f norm %.3f", epoch, loss.item(), norm.item())
    return meter.avg


@torch.no_grad()
def test(model, loader):
    model.eval()
    correct, total, losses = 0, 0, 0.0
    for x, y in loader:
        out = model(x)
        losses += F.nll_loss(out, y, reduction="sum").item()
        correct += out.argmax(1).eq(y).sum().item()
        total += len(y)
    return losses / total, correct / total


parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=3)
args = parser.parse_args([])
torch.manual_seed(1)
model = Net()
optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)
tr, va = DataLoader(Digits(24), batch_size=8, shuffle=True), DataLoader(Digits(8), batch_size=8)
best = float("inf")
with tempfile.TemporaryDirectory() as tmp:
    for epoch in range(args.epochs):
        train(model, tr, optimizer, epoch)
        val, acc = test(model, va)
        scheduler.step()
        if val < best:
            best = val
            torch.save({"model": model.state_dict(), "opt": optimizer.state_dict()}, os.path.join(tmp, "best.pt"))
    model.load_state_dict(torch.load(os.path.join(tmp, "best.pt"))["model"])
