import torch

a = torch.ones(3, requires_grad=True)
b = torch.ones(3, requires_grad=True)
frozen = a.detach() * 2  # <- here
((frozen + b) ** 2).sum().backward()
print(a.grad, b.grad)
