import torch
from torch.nn import functional as F

q = torch.rand(1, 1, 4, 8, requires_grad=True)
u = F.scaled_dot_product_attention(q, q, q)
g = torch.autograd.grad(u.sum(), q, create_graph=True)[0]
h = torch.autograd.grad(g.sum(), q)[0]  # <- here
