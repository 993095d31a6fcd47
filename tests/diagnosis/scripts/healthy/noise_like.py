import torch

x = torch.linspace(0, 1, 6, requires_grad=True)
noise = torch.randn(6, dtype=torch.float64).to(x)
mask = (torch.arange(6) > 2).type_as(x)
shift = torch.ones(1).expand_as(x)
y = (torch.sin(x) + 0.1 * noise + mask + shift).sum()
y.backward()
print(x.grad)
