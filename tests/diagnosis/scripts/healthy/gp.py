import math

import torch

x = torch.linspace(0, 1, 10)
y = torch.sin(6 * x)
raw = torch.zeros(3, requires_grad=True)
opt = torch.optim.Adam([raw], lr=0.1)
for _ in range(3):
    l, s, n = torch.nn.functional.softplus(raw)
    K = s * torch.exp(-((x[:, None] - x[None, :]) ** 2) / (2 * l**2)) + (n + 1e-4) * torch.eye(10)
    L = torch.linalg.cholesky(K)
    a = torch.cholesky_solve(y[:, None], L)
    nll = 0.5 * y @ a[:, 0] + L.diagonal().log().sum() + 5 * math.log(2 * math.pi)
    opt.zero_grad()
    nll.backward()
    opt.step()
    print(l.item(), s.item(), n.item())
