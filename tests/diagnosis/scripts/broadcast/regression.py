import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

X = torch.randn(12, 3)
y = X.sum(1)
model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))
opt = torch.optim.Adam(model.parameters())
loss_fn = nn.MSELoss()
for xb, yb in DataLoader(TensorDataset(X, y), batch_size=4):
    loss = loss_fn(model(xb), yb)  # <- here
    opt.zero_grad()
    loss.backward()
    opt.step()
