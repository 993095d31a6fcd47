import torch
from torch import nn

encoder, decoder = nn.Linear(4, 2), nn.Linear(2, 4)
opt = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()])
x = torch.randn(6, 4)
for _ in range(2):
    z = torch.tanh(encoder(x)).detach()  # <- here
    rec = decoder(z)
    loss = (rec - x).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
