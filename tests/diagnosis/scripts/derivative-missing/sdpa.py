import torch
import torch.nn.functional as F

x = torch.randn(1, 2, 5, 8, requires_grad=True)
out = F.scaled_dot_product_attention(x, x, x)
g = torch.autograd.grad(out.sum(), x, create_graph=True)[0]
g2 = torch.autograd.grad(g.pow(2).sum(), x)[0]  # <- here
