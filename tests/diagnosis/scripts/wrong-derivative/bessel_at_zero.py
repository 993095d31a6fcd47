import torch

r = torch.tensor([0.0, 0.7], dtype=torch.float64, requires_grad=True)
d = torch.special.i1(r)  # <- here
for _ in range(3):
    (d,) = torch.autograd.grad(d.sum(), r, create_graph=True)
