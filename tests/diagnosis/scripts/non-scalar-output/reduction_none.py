import torch
from torch import nn

criterion = nn.CrossEntropyLoss(reduction="none")
net = nn.Linear(4, 3)
logits = net(torch.randn(5, 4))
loss = criterion(logits, torch.randint(0, 3, (5,)))
loss.backward()  # <- here
