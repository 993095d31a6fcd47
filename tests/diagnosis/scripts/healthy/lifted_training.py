import torch
from torch import nn

import apolar as ap

dx, dt = ap.coordinates("x t")


@ap.residual("x t")
def burgers(u, nu):
    return u.t + u * u.x - nu * u.xx


for activation in (nn.Tanh(), nn.SiLU(), nn.GELU()):
    net = nn.Sequential(nn.Linear(2, 8), activation, nn.LayerNorm(8), nn.Dropout(0.1), nn.Linear(8, 1))
    nu = nn.Parameter(torch.tensor(0.1))
    optimizer = torch.optim.Adam([*net.parameters(), nu])
    for _ in range(3):
        X = torch.rand(20, 2)
        optimizer.zero_grad()
        u, lap = ap.evaluate(net, X, 1, dx**2)
        loss = burgers(net, X, nu).pow(2).mean() + (lap - u.detach()).pow(2).mean()
        loss.backward()
        optimizer.step()
        print(loss.item())
    with torch.no_grad():
        print(ap.evaluate(net, X, dx).abs().max().item())
