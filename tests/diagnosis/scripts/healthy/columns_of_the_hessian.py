import torch

X = torch.rand(5, 3, requires_grad=True)
u = torch.sin(X[:, 0] * X[:, 1]) + X[:, 2] ** 3
g = torch.autograd.grad(u.sum(), X, create_graph=True)[0]
H = torch.stack([torch.autograd.grad(g[:, i].sum(), X, create_graph=True)[0] for i in range(3)], 1)
x = torch.linspace(0, 1, 7).requires_grad_()
d = torch.autograd.grad(torch.sin(x).sum(), x, create_graph=True)[0]
d2 = torch.autograd.grad(d.sum(), x)[0]
Y = torch.rand(4, 2, requires_grad=True)
d = torch.autograd.grad((Y**3).sum(), Y, create_graph=True)[0]
d2 = torch.autograd.grad(d, Y, torch.ones_like(d))[0]
v = torch.randn(4, 2)
w = torch.rand(4, 2, requires_grad=True)
d = torch.autograd.grad((w.prod(1) ** 2).sum(), w, create_graph=True)[0]
hvp = torch.autograd.grad(d, w, v)[0]
