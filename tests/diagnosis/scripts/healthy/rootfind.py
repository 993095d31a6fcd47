import torch

a = torch.tensor(2.0, requires_grad=True)
x = torch.tensor(1.0)
with torch.no_grad():
    for _ in range(20):
        x = 0.5 * (x + a / x)
x = x.detach()
x = x - (x * x - a) / (2 * x)
x.backward()
print(a.grad)
