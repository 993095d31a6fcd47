import torch
from torch import nn

torch.manual_seed(0)
G, D = (
    nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2)),
    nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(), nn.Linear(8, 1)),
)
opt_g, opt_d = torch.optim.Adam(G.parameters()), torch.optim.Adam(D.parameters())
bce = nn.BCEWithLogitsLoss()
for _ in range(4):
    real, z = torch.randn(6, 2), torch.randn(6, 2)
    fake = G(z)
    opt_d.zero_grad()
    loss_d = bce(D(real), torch.ones(6, 1)) + bce(D(fake.detach()), torch.zeros(6, 1))
    loss_d.backward()
    opt_d.step()
    opt_g.zero_grad()
    loss_g = bce(D(fake), torch.ones(6, 1))
    loss_g.backward()
    opt_g.step()
    print(loss_d.item(), loss_g.item())
