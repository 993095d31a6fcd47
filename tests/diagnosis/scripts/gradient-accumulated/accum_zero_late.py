import torch
from torch import nn

model = nn.Linear(2, 1)
opt = torch.optim.SGD(model.parameters(), lr=0.1)
opt.zero_grad()
for e in range(3):
    loss = model(torch.randn(4, 2)).pow(2).mean()
    loss.backward()  # <- here
    opt.step()
