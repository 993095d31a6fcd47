import numpy as np
import torch
from torch import nn

x = np.linspace(0, 1, 30)[:, None]
y = np.sin(4 * x) + 0.05 * np.random.randn(30, 1)
mu, sd = x.mean(0), x.std(0)
X = torch.as_tensor((x - mu) / sd, dtype=torch.float32)
Y = torch.Tensor(y)
net = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
losses = np.zeros(5)
for i in range(5):
    pred = net(X)
    loss = torch.nn.functional.huber_loss(pred, Y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    losses[i] = loss.item()
    rmse = np.sqrt(np.mean((pred.detach().numpy() - y) ** 2))
    r2 = 1 - ((Y - pred.data) ** 2).sum() / ((Y - Y.mean()) ** 2).sum()
curve = [float(v) for v in net(X).flatten()]
print(losses.min(), rmse, r2.item(), max(curve))
