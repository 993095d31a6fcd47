import torch
from torch import nn

torch.manual_seed(0)
encoder, decoder = nn.Linear(3, 4), nn.Linear(4, 3)
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()])
for _ in range(3):
    x = torch.randn(6, 3)
    z = encoder(x)
    q = z + (z.round() - z).detach()
    loss = (decoder(q) - x).pow(2).mean() + 0.25 * (z - z.round().detach()).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
