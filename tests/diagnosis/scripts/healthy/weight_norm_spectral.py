import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

net = nn.Sequential(weight_norm(nn.Linear(3, 4)), nn.ReLU(), spectral_norm(nn.Linear(4, 1)))
opt = torch.optim.Adam(net.parameters())
for _ in range(3):
    loss = net(torch.randn(5, 3)).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
net.eval()
with torch.no_grad():
    print(net(torch.randn(2, 3)))
