import torch
from torch import nn

model = nn.Linear(2, 1)
opt = torch.optim.SGD(model.parameters(), lr=0.1)


def compute(batch):
    x, y = batch
    return {"loss": nn.functional.mse_loss(model(x), y).detach()}  # <- here


out = compute((torch.randn(3, 2), torch.randn(3, 1)))
opt.zero_grad()
out["loss"].backward()
opt.step()
