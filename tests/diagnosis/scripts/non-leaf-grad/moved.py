import torch

x = torch.ones(3, requires_grad=True).to(torch.float64)  # <- here
(x**2).sum().backward()
print(x.grad)
