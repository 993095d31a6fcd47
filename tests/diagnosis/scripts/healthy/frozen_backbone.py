import torch
from torch import nn

backbone, head = nn.Linear(4, 8), nn.Linear(8, 2)
optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
for _ in range(3):
    with torch.no_grad():
        features = torch.relu(backbone(torch.randn(5, 4)))
    loss = nn.functional.cross_entropy(head(features), torch.randint(0, 2, (5,)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
