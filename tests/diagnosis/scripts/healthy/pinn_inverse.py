import numpy as np
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 12), nn.Tanh(), nn.Linear(12, 12), nn.Tanh(), nn.Linear(12, 1))
        self.nu = nn.Parameter(torch.tensor(0.1))
        for m in self.net:
            if isinstance(m, nn.Linear):
                nn.init.xavier_normal_(m.weight)
                m.bias.data.fill_(0.01)

    def forward(self, x, t):
        return self.net(torch.cat((x, t), dim=-1))


def gradient(y, x):
    return torch.autograd.grad(y, x, grad_outputs=torch.ones_like(y), create_graph=True, retain_graph=True)[0]


model = Net()
X = np.random.rand(16, 2)
x = torch.tensor(X[:, 0:1], requires_grad=True).float()
t = torch.tensor(X[:, 1:2], requires_grad=True).float()
u_obs = torch.tensor(np.sin(np.pi * X[:, 0:1]), dtype=torch.float32)
opt = torch.optim.Adam(model.parameters(), lr=1e-3)
log = {"nu": [], "loss": []}
for it in range(4):
    opt.zero_grad()
    u = model(x, t)
    u_x, u_t = gradient(u, x), gradient(u, t)
    u_xx = gradient(u_x, x)
    f = u_t + u * u_x - model.nu * u_xx
    loss = torch.mean((u - u_obs) ** 2) + torch.mean(f**2)
    loss.backward()
    opt.step()
    log["nu"].append(model.nu.item())
    log["loss"].append(loss.detach().cpu().numpy())
    if it % 2 == 0:
        print(f"It: {it} Loss: {loss.item():.3e} nu {model.nu.data:.3f} |f| {f.abs().max():.2f}")
u_pred = model(x, t).detach().numpy()
print(np.linalg.norm(u_pred - X[:, :1]))
