import torch
from torch import nn


def train(model, data, opt, epochs):
    for e in range(epochs):
        for xb, yb in data:
            out = model(xb)
            loss = nn.functional.mse_loss(out, yb)
            loss.backward()  # <- here
            opt.step()


model = nn.Linear(2, 1)
train(model, [(torch.randn(4, 2), torch.randn(4, 1))] * 2, torch.optim.Adam(model.parameters()), 2)
