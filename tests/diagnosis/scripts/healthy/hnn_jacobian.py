import torch
from torch.autograd.functional import hessian, jacobian
from torch.func import hessian as fh

W = torch.randn(3, 3)


def f(x):
    return torch.tanh(W @ x).pow(2).sum()


x = torch.randn(3)
H = hessian(f, x)
J = jacobian(lambda v: torch.tanh(W @ v), x)
H2 = fh(f)(x)
assert torch.allclose(H, H2, atol=1e-5)
xr = x.clone().requires_grad_()
g = torch.autograd.grad(f(xr), xr, create_graph=True)[0]
rows = torch.stack([torch.autograd.grad(g[i], xr, retain_graph=True)[0] for i in range(3)])
v = torch.randn(3)
hvp = torch.autograd.grad(g @ v, xr)[0]
