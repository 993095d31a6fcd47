import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

backbone = nn.Sequential(nn.Linear(4, 6), nn.ReLU())
head = nn.Linear(6, 2)
for module in (backbone, head):
    for p in module.parameters():
        p.requires_grad = False
loader = DataLoader(TensorDataset(torch.randn(6, 4), torch.randint(0, 2, (6,))), batch_size=3)
criterion = nn.CrossEntropyLoss()
for inputs, labels in loader:
    loss = criterion(head(backbone(inputs)), labels)
    loss.backward()  # <- here
