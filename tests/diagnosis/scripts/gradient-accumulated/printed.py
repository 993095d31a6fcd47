import torch

x = torch.tensor(2.0, requires_grad=True)
(x**2).backward()
print(x.grad)
(x**3).backward()  # <- here
print(x.grad)
