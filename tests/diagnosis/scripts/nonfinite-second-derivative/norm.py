import torch

p = torch.zeros(1, 3, requires_grad=True)
r = torch.linalg.norm(p, dim=-1)  # <- here
g = torch.autograd.grad(r.sum(), p, create_graph=True)[0]
h = torch.autograd.grad(g[:, 0].sum(), p)[0]
