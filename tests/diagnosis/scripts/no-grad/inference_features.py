import torch
from torch import nn

backbone = nn.Linear(4, 3)
head = nn.Linear(3, 1)
x = torch.randn(5, 4)
with torch.inference_mode():  # <- here
    feats = backbone(x)
loss = head(feats).mean()
loss.backward()
