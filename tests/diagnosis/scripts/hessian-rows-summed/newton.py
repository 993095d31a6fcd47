import torch

p = torch.tensor([1.0, 2.0], requires_grad=True)
f = (p[0] * p[1]).exp() * 0.1 + p[0] ** 4
grad_f = torch.autograd.grad(f, p, create_graph=True)[0]
hess_diag = torch.autograd.grad(grad_f.sum(), p)[0]  # <- here
step = grad_f / hess_diag
