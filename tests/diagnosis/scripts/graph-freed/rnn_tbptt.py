import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, hidden=6):
        super().__init__()
        self.lstm = nn.LSTM(2, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x, state):
        out, state = self.lstm(x, state)
        return self.head(out), state


def train(model, chunks):
    optimizer = torch.optim.Adam(model.parameters())
    state = None
    for x, y in chunks:
        pred, state = model(x, state)
        loss = nn.functional.mse_loss(pred, y)
        optimizer.zero_grad()
        loss.backward()  # <- here
        optimizer.step()


train(Model(), [(torch.randn(3, 5, 2), torch.randn(3, 5, 1)) for _ in range(3)])
