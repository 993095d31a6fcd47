import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Trainer:
    def __init__(self, model, loader):
        self.model, self.loader = model, loader
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def fit(self, epochs):
        for _ in range(epochs):
            for x, y in self.loader:
                loss = nn.functional.mse_loss(self.model(x), y)
                loss.backward()  # <- here
                self.optimizer.step()


Trainer(nn.Linear(2, 1), DataLoader(TensorDataset(torch.randn(6, 2), torch.randn(6, 1)), batch_size=2)).fit(1)
