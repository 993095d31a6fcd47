import torch

x = torch.tensor([0.0, 0.3], requires_grad=True)
y = x.pow(1.5)  # <- here
d1 = torch.autograd.grad(y.sum(), x, create_graph=True)[0]
d2 = torch.autograd.grad(d1.sum(), x)[0]
