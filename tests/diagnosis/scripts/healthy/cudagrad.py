import torch

s = torch.amp.GradScaler("cpu")
n = torch.nn.Linear(2, 1)
o = torch.optim.SGD(n.parameters(), lr=0.1)
for _ in range(3):
    o.zero_grad()
    l = n(torch.randn(3, 2)).pow(2).mean()
    s.scale(l).backward()
    s.unscale_(o)
    torch.nn.utils.clip_grad_value_(n.parameters(), 1.0)
    s.step(o)
    s.update()
