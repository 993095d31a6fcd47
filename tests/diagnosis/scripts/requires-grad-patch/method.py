import torch

x = torch.tensor([1.0, 2.0])
y = (x**2).sum().requires_grad_()  # <- here
y.backward()
print(x.grad)  # <- nothing-requires-grad
