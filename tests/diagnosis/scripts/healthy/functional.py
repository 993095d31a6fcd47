import torch
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, vmap

f = lambda x: torch.sin(x).prod()
x = torch.rand(3)
print(grad(f)(x), hessian(f)(x), jacfwd(jacrev(f))(x), vmap(grad(f))(torch.rand(2, 3)))
net = torch.nn.Linear(3, 1)
parameters = dict(net.named_parameters())
print(grad(lambda p: functional_call(net, p, (x,)).sum())(parameters))
print(torch.autograd.functional.hessian(f, x), torch.autograd.functional.jacobian(torch.sin, x))
A = torch.rand(2, 2)
print(
    jacfwd(torch.linalg.det)(A),
    torch.autograd.gradcheck(torch.sin, torch.rand(2, dtype=torch.float64, requires_grad=True)),
)
