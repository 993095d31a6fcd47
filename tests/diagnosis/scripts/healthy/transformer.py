import torch
from torch import nn

n = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)
o = torch.optim.Adam(n.parameters())
for _ in range(2):
    o.zero_grad()
    n(torch.randn(2, 5, 8)).pow(2).mean().backward()
    o.step()
n.eval()
with torch.no_grad():
    n(torch.randn(2, 5, 8))
