import torch
from torch.func import jacfwd, jvp

r = torch.tensor([0.4, 0.7], dtype=torch.float64, requires_grad=True)
d = torch.special.i1(r)
for _ in range(3):
    (d,) = torch.autograd.grad(d.sum(), r, create_graph=True)

x = torch.tensor([0.5, 1.5], dtype=torch.float64)
print(jacfwd(jacfwd(lambda x: torch.cumprod(x, 0)[1] + (x**3).sum() + torch.logaddexp(x[0], x[1])))(x))
print(jvp(lambda s: jvp(lambda s: torch.sinc(s) + torch.pow(s, 2.0), (s,), (s,))[1], (x,), (x,))[1])
