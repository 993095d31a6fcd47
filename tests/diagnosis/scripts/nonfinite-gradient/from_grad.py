import torch

x = torch.zeros(3, requires_grad=True)
y = torch.sqrt(x).sum()  # <- here
(g,) = torch.autograd.grad(y, x, create_graph=True)
a = torch.nan_to_num(g * 0) + g
b = torch.sin(a) + 1
(b**2).sum().backward()
