import torch

x = torch.tensor(2.0, requires_grad=True)
(x**3).backward()  # <- here
first = x.grad
first.backward()
