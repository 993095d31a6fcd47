import torch
from torch import nn

net = nn.Linear(2, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
hist = []
for e in range(4):
    tot = torch.zeros(())
    for _ in range(3):
        tot = tot + net(torch.rand(3, 2)).pow(2).mean()
    opt.zero_grad()
    tot.backward()
    opt.step()
    hist.append(tot.item())
mx = max(hist)
scaled = [h / mx for h in hist]
w = torch.tensor(scaled)
print(w.mean())
